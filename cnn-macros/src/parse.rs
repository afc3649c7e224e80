//! From tokens to what was written: one statement at a time, going on at the next when one is broken.

mod block;
mod call;
mod expression;

pub use call::reread as tensors_of;

use crate::ast::{Block, Body, Expression, Given, Model, Outline, Source, Statement, Written};
use crate::report::{Errors, Mistake, Problem, Result};
use crate::{suggest, value};
use cnn_spec::Value;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, GenericParam, Generics, Ident, Token, Type, Visibility, token};

/// Parses everything between the braces of `model! { … }`; what cannot be parsed is in `errors`.
pub fn parse(tokens: TokenStream, errors: &mut Errors) -> Source {
    let mut parsed = Source::default();
    let parser = |input: ParseStream| {
        parsed = source(input, errors);
        Ok(())
    };
    // An error here is syn's about tokens that an earlier error has already been reported for.
    if let Err(error) = parser.parse2(tokens)
        && errors.len() == 0
    {
        errors.push(error.into());
    }
    parsed
}

fn source(input: ParseStream, errors: &mut Errors) -> Source {
    let mut blocks = blocks(input, errors);
    let is_blocks_alone = input.is_empty() && !blocks.is_empty();
    if !declares_models(input) && !is_blocks_alone {
        let model = Model {
            attrs: Vec::new(),
            vis: Visibility::Inherited,
            name: Ident::new("Model", Span::call_site()),
            generics: Generics::default(),
            body: body(input, errors),
        };
        return Source { blocks, models: vec![model], is_expression: true };
    }
    let mut models = Vec::new();
    while !input.is_empty() {
        match model(input, errors) {
            Ok(model) => models.push(model),
            Err(error) => {
                errors.push(error);
                skip_block(input);
            }
        }
        blocks.extend(self::blocks(input, errors));
    }
    Source { blocks, models, is_expression: false }
}

/// The blocks declared next.
fn blocks(input: ParseStream, errors: &mut Errors) -> Vec<Block> {
    let mut blocks = Vec::new();
    while block::starts_block(input) {
        match block::block(input, errors) {
            Ok(block) => blocks.push(block),
            Err(error) => {
                errors.push(error);
                skip_block(input);
            }
        }
    }
    blocks
}

/// Whether the input is models with names rather than a bare body.
fn declares_models(input: ParseStream) -> bool {
    let attribute = input.peek(Token![#]) && !input.peek2(Token![!]);
    let name = input.peek(Ident) && (input.peek2(token::Brace) || input.peek2(Token![<]) || input.peek2(Ident));
    attribute || name || input.peek(Token![pub]) || input.peek(Token![struct])
}

fn model(input: ParseStream, errors: &mut Errors) -> Result<Model> {
    if input.peek(Token![#]) && !input.peek2(token::Bracket) {
        let help = "write one such as `#[derive(Debug)]`";
        return Err(Problem::new("expected an attribute after this `#`").help(help).at_next(input));
    }
    let attrs = input.call(Attribute::parse_outer)?;
    let vis: Visibility = input.parse()?;
    if let Some(keyword) = input.parse::<Option<Token![struct]>>()? {
        errors.push(Problem::new("a model is declared by its name alone").help("leave out `struct`").at(keyword));
    }
    let name: Ident = input.parse().map_err(|_: syn::Error| {
        let problem = Problem::new("expected the name of a model").help("write it, as in `pub Net { … }`");
        let before = attrs.last().map_or_else(|| vis.to_token_stream(), ToTokens::to_token_stream);
        if input.is_empty() { problem.at(before) } else { problem.at_next(input) }
    })?;
    let generics = parameters(input, errors)?;
    if !input.peek(token::Brace) {
        return Err(Problem::new(format!("expected the layers of `{name}` in braces"))
            .help(format!("declare it as `{name} {{ i = Input(28, 28, 1); … }}`"))
            .at(&name));
    }
    let (_, content) = call::group(input)?;
    let body = body(&content, errors);
    Ok(Model { attrs, vis, name, generics, body })
}

/// `<const H: usize, const W: usize>`, the sizes a model is declared for.
fn parameters(input: ParseStream, errors: &mut Errors) -> Result<Generics> {
    let mut generics: Generics = input.parse()?;
    let is_size = |parameter: &GenericParam| match parameter {
        GenericParam::Const(parameter) => matches!(&parameter.ty, Type::Path(ty) if ty.path.is_ident("usize")),
        _ => false,
    };
    for parameter in generics.params.iter().filter(|parameter| !is_size(parameter)) {
        let problem = Problem::new("the parameters of a model are sizes");
        errors.push(problem.help("declare each as in `<const CLASSES: usize>`").at(parameter));
    }
    generics.params = generics.params.into_iter().filter(is_size).collect();
    Ok(generics)
}

fn body(input: ParseStream, errors: &mut Errors) -> Body {
    let before = errors.len();
    let strict = strict(input, errors);
    let (mut statements, mut outline) = (Vec::new(), None::<Outline>);
    while !input.is_empty() {
        if let Some(Outline { keyword, .. }) = &outline {
            errors.push(Problem::new("`Model(…)` must be the last statement").help("move it to the end").at(keyword));
        }
        if statements.is_empty() && outline.is_none() && calls(input, "Sequential") {
            match expression::sequential_body(input, errors).and_then(|layers| only(input).map(|()| layers)) {
                Ok(layers) => statements.extend(layers.into_iter().map(|(name, layer)| Statement::Bind(vec![name], None, layer))),
                Err(error) => {
                    errors.push(error);
                    input.parse::<TokenStream>().expect("tokens are left");
                    statements.push(Statement::Broken(Vec::new()));
                }
            }
        } else if calls(input, "Model") {
            match call::outline(input) {
                Ok(parsed) => outline = Some(parsed),
                Err(error) => {
                    errors.push(error);
                    skip_statement(input);
                    statements.push(Statement::Broken(Vec::new()));
                }
            }
        } else {
            statements.push(statement(input, errors));
        }
    }
    Body { strict, statements, outline, is_whole: errors.len() == before }
}

/// Whether the next tokens are `name(…)`.
fn calls(input: ParseStream, name: &str) -> bool {
    input.peek(Ident) && input.peek2(token::Paren) && input.fork().parse::<Ident>().is_ok_and(|found| found == name)
}

/// The end of a body that is one call.
fn only(input: ParseStream) -> Result<()> {
    input.parse::<Option<Token![;]>>()?;
    match input.is_empty() {
        true => Ok(()),
        false => {
            let help = "list every layer in it, or write one statement for each layer";
            Err(Problem::new("a `Sequential` model has no further statements").help(help).at_next(input))
        }
    }
}

/// The attributes a body starts with, of which there is one: `#![strict]`.
fn strict(input: ParseStream, errors: &mut Errors) -> bool {
    let mut strict = false;
    while input.peek(Token![#]) && input.peek2(Token![!]) {
        match input.call(Attribute::parse_inner) {
            Ok(attributes) => {
                for attribute in attributes {
                    match attribute.path().is_ident("strict") {
                        true => strict = true,
                        false => errors.push(Problem::new("unknown attribute").help("use `#![strict]`").at(attribute)),
                    }
                }
            }
            Err(error) => {
                errors.push(error.into());
                skip_statement(input);
            }
        }
    }
    strict
}

/// One statement; a broken one is in `errors`.
fn statement(input: ParseStream, errors: &mut Errors) -> Statement {
    if input.peek(Token![for]) || input.peek(Token![if]) {
        let parse = if input.peek(Token![for]) { block::for_loop } else { block::if_else };
        return parse(input, errors).unwrap_or_else(|error| {
            errors.push(error);
            skip_statement(input);
            Statement::Broken(Vec::new())
        });
    }
    let (names, stated) = match bound_names(input, errors) {
        Ok(bound) => bound,
        Err(error) => {
            errors.push(error);
            skip_statement(input);
            return Statement::Broken(Vec::new());
        }
    };
    let before = errors.len();
    let ended = bound_expression(input, &names[0], errors).and_then(|expression| Ok((end(input, &expression)?, expression)));
    match ended {
        Ok((None, expression)) => Statement::Bind(names, stated, expression),
        Ok((Some(missing), expression)) => {
            let number = (errors.len() == before).then_some(before);
            if number.is_some() {
                errors.push(missing);
            }
            Statement::Unended(Box::new(Statement::Bind(names, stated, expression)), number)
        }
        Err(error) => {
            errors.push(error);
            skip_statement(input);
            Statement::Broken(names)
        }
    }
}

/// `name =`, `name: shape =` or `(a, b) =`, with what people write in its place.
fn bound_names(input: ParseStream, errors: &mut Errors) -> Result<(Vec<Ident>, Option<Given>)> {
    for attribute in input.call(Attribute::parse_outer)? {
        errors
            .push(Problem::new("attributes of statements are not supported yet").help("write a comment with `//`").at(attribute));
    }
    if input.peek(Token![while]) {
        let help = "write a loop over a list or a range: `for filters in [32, 64] { … }`";
        return Err(Problem::new("`while` has no end that is known while compiling").help(help).at_next(input));
    }
    if let Some(keyword) = input.parse::<Option<Token![let]>>()? {
        errors.push(Problem::new("a tensor is bound by its name alone").help("leave out `let`").at(keyword));
    }
    if input.peek(token::Paren) {
        let group: TokenTree = input.fork().parse()?;
        let names = block::names(input)?;
        return match input.peek(Token![=]) {
            true => Ok((names, None)),
            false => Err(Problem::new("expected `=` after these names").at(group)),
        };
    }
    let name: Ident = input.parse().map_err(|_: syn::Error| no_statement(input))?;
    if input.peek(Token![.]) {
        return Err(method_call(input, &name)?);
    }
    if input.peek(token::Paren) {
        let problem = match name.to_string().as_str() {
            "Sequential" => Problem::new("`Sequential(…)` is the whole of a model")
                .help("bind it to a name to use it as a part: `x = Sequential([…])(x);`"),
            _ => Problem::new(format!("the output of `{name}` has no name")).help(format!("bind it: `x = {name}(…)(…);`")),
        };
        return Err(problem.at(&name));
    }
    let states = input.peek(Token![:]) && !is_meant_as_equals(input);
    let stated = if states { Some(stated(input, &name)?) } else { None };
    if !input.peek(Token![=]) && !input.peek(Token![:]) {
        return Err(Problem::new(format!("expected `=` after `{name}`"))
            .help(format!("bind it to a layer: `{name} = Conv2D(32, 3)(x);`"))
            .at(&name));
    }
    Ok((vec![name], stated))
}

/// `: [13, 13, 32]`, the shape that a tensor is said to have, or `: _`, the question what it is.
fn stated(input: ParseStream, name: &Ident) -> Result<Given> {
    let colon: Token![:] = input.parse()?;
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![=]) && !input.peek(Token![;]) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    let given = syn::parse2::<Expr>(tokens.clone()).ok().map(|expr| value::read(&expr)).transpose()?;
    match given {
        Some(given) if matches!(given.written, Written::Tuple(_) | Written::Value(Value::Unknown)) => Ok(given),
        _ => {
            let help = format!("list its sizes, as in `{name}: [13, 13, 32] = …`, or ask for them: `{name}: _ = …`");
            let blamed = if tokens.is_empty() { colon.to_token_stream() } else { tokens };
            Err(Problem::new(format!("expected the shape of `{name}`")).help(help).at(blamed))
        }
    }
}

/// What is said of tokens that begin no statement.
fn no_statement(input: ParseStream) -> Mistake {
    if input.peek(Token![;]) {
        return Problem::new("this `;` ends no statement").help("leave it out").at_next(input);
    }
    match input.peek(Ident::peek_any) {
        true => expression::not_a_name(input, "a statement"),
        false => Problem::new("expected a statement").help("write one such as `x = Conv2D(32, 3)(x);`").at_next(input),
    }
}

/// What is said of `model.add(…)` and other methods, with the layer they are given, if there is one.
fn method_call(input: ParseStream, name: &Ident) -> Result<Mistake> {
    input.parse::<Token![.]>()?;
    let method = input.call(Ident::parse_any)?;
    let given = input.fork().call(call::contents).unwrap_or_default();
    let layer = given.first().and_then(|layer| suggest::here(&layer.to_string()));
    let help = match layer {
        Some(layer) => format!("bind each layer's output to a name: `x = {layer}(…)(…);`"),
        None => "bind each layer's output to a name, such as `x = Conv2D(32, 3)(x);`".to_string(),
    };
    Ok(Problem::new(format!("`{name}.{method}(…)` is no statement")).help(help).at(name))
}

/// Whether the `:` that comes next is written for `=`.
fn is_meant_as_equals(input: ParseStream) -> bool {
    let fork = input.fork();
    let is_colon = fork.parse::<Token![:]>().is_ok();
    is_colon && (fork.peek(Token![=]) || (fork.peek(Ident) && (fork.peek2(token::Paren) || fork.peek2(Token![.]))))
}

/// `= expression`, of the statement that binds `bound`.
fn bound_expression(input: ParseStream, bound: &Ident, errors: &mut Errors) -> Result<Expression> {
    let equals = call::equals(input, bound, errors)?;
    let problem =
        Problem::new(format!("expected a layer for `{bound}`")).help(format!("write one such as `{bound} = Conv2D(32, 3)(x);`"));
    if input.is_empty() || input.peek(Token![;]) || (input.peek(Ident) && input.peek2(Token![=])) {
        return Err(problem.at(equals));
    }
    if !input.peek(Ident::peek_any) && !input.peek(token::Paren) {
        return Err(problem.at(input.parse::<TokenTree>()?));
    }
    if input.peek2(token::Paren) && input.fork().parse::<Ident>().is_ok_and(|name| name == "Model") {
        let help = format!("write `Model(…)` without `{bound} =`");
        return Err(Problem::new("`Model(…)` is bound to no name").help(help).at(bound));
    }
    expression::expression(input, errors)
}

/// The `;` after a statement, or what is said of one that is missing.
///
/// # Errors
/// If something else comes next.
fn end(input: ParseStream, expression: &Expression) -> Result<Option<Mistake>> {
    const HELP: &str = "end the statement with `;`";
    if input.parse::<Option<Token![;]>>()?.is_some() {
        return Ok(None);
    }
    match input.is_empty() || starts_statement(input) {
        true => Ok(Some(Problem::new("expected `;` after this").help(HELP).at(expression.last_token()))),
        false => Err(Problem::new("expected `;` before this").help(HELP).at_next(input)),
    }
}

/// Whether the next tokens are `name =`, `Model(…)`, `for` or `if`.
fn starts_statement(input: ParseStream) -> bool {
    let is_binding = input.peek(Ident) && input.peek2(Token![=]);
    is_binding || calls(input, "Model") || input.peek(Token![for]) || input.peek(Token![if])
}

/// Goes on behind the next `;` or block, or before the next `name =`.
fn skip_statement(input: ParseStream) {
    loop {
        let ends = input.peek(Token![;]) || (input.peek(token::Brace) && !input.peek2(Token![else]));
        if input.is_empty() {
            return;
        }
        skip_token(input);
        if ends || starts_statement(input) {
            return;
        }
    }
}

/// Goes on behind the next block.
fn skip_block(input: ParseStream) {
    while !input.is_empty() {
        let ends = input.peek(token::Brace);
        skip_token(input);
        if ends {
            return;
        }
    }
}

fn skip_token(input: ParseStream) {
    input.parse::<TokenTree>().expect("the input is not empty");
}
