//! From tokens to what was written: one statement at a time, going on at the next when one is broken.

mod call;

use crate::ast::{Body, Expression, Model, Outline, Source, Statement};
use crate::report::{Errors, Problem, Result};
use cnn_spec::{Input, Layer};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Generics, Ident, Token, Visibility, token};

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
    if !declares_models(input) {
        let model = Model {
            attrs: Vec::new(),
            vis: Visibility::Inherited,
            name: Ident::new("Model", Span::call_site()),
            body: body(input, errors),
        };
        return Source { models: vec![model], is_expression: true };
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
    }
    Source { models, is_expression: false }
}

/// Whether the input is models with names rather than a bare body.
fn declares_models(input: ParseStream) -> bool {
    let attribute = input.peek(Token![#]) && !input.peek2(Token![!]);
    let name = input.peek(Ident) && (input.peek2(token::Brace) || input.peek2(Token![<]) || input.peek2(Ident));
    attribute || name || input.peek(Token![pub]) || input.peek(Token![struct])
}

fn model(input: ParseStream, errors: &mut Errors) -> Result<Model> {
    let attrs = input.call(Attribute::parse_outer)?;
    let vis: Visibility = input.parse()?;
    if let Some(keyword) = input.parse::<Option<Token![struct]>>()? {
        errors.push(Problem::new("a model is declared by its name alone").help("leave out `struct`").at(keyword));
    }
    if input.peek(Ident) && input.peek2(Ident) && input.fork().call(Ident::parse_any)? == "block" {
        return Err(Problem::new("`block` is not supported yet").at_next(input));
    }
    let name: Ident = input.parse().map_err(|_: syn::Error| Problem::new("expected the name of a model").at_next(input))?;
    let has_parameters = input.peek(Token![<]);
    if has_parameters {
        errors.push(Problem::new("parameters of a model are not supported yet").at(input.parse::<Generics>()?));
    }
    if !input.peek(token::Brace) {
        return Err(Problem::new(format!("expected the layers of `{name}` in braces"))
            .help(format!("declare it as `{name} {{ i = Input(28, 28, 1); … }}`"))
            .at(&name));
    }
    let (_, content) = call::group(input)?;
    let mut body = body(&content, errors);
    body.is_whole &= !has_parameters;
    Ok(Model { attrs, vis, name, body })
}

fn body(input: ParseStream, errors: &mut Errors) -> Body {
    let before = errors.len();
    let strict = strict(input, errors);
    let (mut statements, mut outline) = (Vec::new(), None::<Outline>);
    while !input.is_empty() {
        if let Some(Outline { keyword, .. }) = &outline {
            errors.push(Problem::new("`Model(…)` must be the last statement").help("move it to the end").at(keyword));
        }
        if input.peek(Ident) && input.peek2(token::Paren) && input.fork().parse::<Ident>().is_ok_and(|name| name == "Model") {
            match call::outline(input) {
                Ok(parsed) => outline = Some(parsed),
                Err(error) => {
                    errors.push(error);
                    skip_statement(input);
                    statements.push(Statement::Broken(None));
                }
            }
        } else {
            statements.push(statement(input, errors));
        }
    }
    Body { strict, statements, outline, is_whole: errors.len() == before }
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

fn statement(input: ParseStream, errors: &mut Errors) -> Statement {
    let name = match bound_name(input, errors) {
        Ok(name) => name,
        Err(error) => {
            errors.push(error);
            skip_statement(input);
            return Statement::Broken(None);
        }
    };
    let bound = expression(input, &name, errors).and_then(|expression| {
        end(input, &expression, errors)?;
        Ok(expression)
    });
    match bound {
        Ok(expression) => Statement::Bind(name, expression),
        Err(error) => {
            errors.push(error);
            skip_statement(input);
            Statement::Broken(Some(name))
        }
    }
}

/// `name =`, with what people write in its place.
fn bound_name(input: ParseStream, errors: &mut Errors) -> Result<Ident> {
    for attribute in input.call(Attribute::parse_outer)? {
        errors
            .push(Problem::new("attributes of statements are not supported yet").help("write a comment with `//`").at(attribute));
    }
    for (keyword, found) in
        [("for", input.peek(Token![for])), ("if", input.peek(Token![if])), ("while", input.peek(Token![while]))]
    {
        if found {
            return Err(Problem::new(format!("`{keyword}` is not supported yet")).at_next(input));
        }
    }
    if let Some(keyword) = input.parse::<Option<Token![let]>>()? {
        errors.push(Problem::new("a tensor is bound by its name alone").help("leave out `let`").at(keyword));
    }
    if input.peek(token::Paren) {
        let names: TokenTree = input.parse()?;
        return Err(Problem::new("binding several names at once is not supported yet").at(names));
    }
    let name: Ident = input.parse().map_err(|_: syn::Error| {
        Problem::new("expected a statement").help("write one such as `x = Conv2D(32, 3)(x);`").at_next(input)
    })?;
    if input.peek(token::Paren) {
        let problem = match name.to_string().as_str() {
            "Sequential" => Problem::new("`Sequential` is not supported yet").help("write one statement for each layer"),
            _ => Problem::new(format!("the output of `{name}` has no name")).help(format!("bind it: `x = {name}(…)(…);`")),
        };
        return Err(problem.at(&name));
    }
    if input.peek(Token![:]) {
        let mut shape = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![=]) && !input.peek(Token![;]) {
            shape.extend([input.parse::<TokenTree>()?]);
        }
        errors.push(Problem::new("stating a shape is not supported yet").help("leave it out").at(shape));
    }
    if !input.peek(Token![=]) {
        return Err(Problem::new(format!("expected `=` after `{name}`"))
            .help(format!("bind it to a layer: `{name} = Conv2D(32, 3)(x);`"))
            .at(&name));
    }
    Ok(name)
}

/// `= Layer(arguments)(tensors)` or `= name`, of the statement that binds `bound`.
fn expression(input: ParseStream, bound: &Ident, errors: &mut Errors) -> Result<Expression> {
    let equals: Token![=] = input.parse()?;
    let problem =
        Problem::new(format!("expected a layer for `{bound}`")).help(format!("write one such as `{bound} = Conv2D(32, 3)(x);`"));
    if input.is_empty() || input.peek(Token![;]) || (input.peek(Ident) && input.peek2(Token![=])) {
        return Err(problem.at(equals));
    }
    if !input.peek(Ident) {
        return Err(problem.at(input.parse::<TokenTree>()?));
    }
    let name = unqualified(input, errors)?;
    if !input.peek(token::Paren) {
        unsupported_operator(input)?;
        return Ok(Expression::Tensor(name));
    }
    match name.to_string().as_str() {
        "Sequential" => {
            let help = "write one statement for each layer";
            return Err(Problem::new("`Sequential` is not supported yet").help(help).at(name));
        }
        "Model" => {
            let help = format!("write `Model(…)` without `{bound} =`");
            return Err(Problem::new("`Model(…)` is bound to no name").help(help).at(bound));
        }
        _ => {}
    }
    let call = call::call(input, name, errors)?;
    unsupported_operator(input)?;
    Ok(Expression::Call(call))
}

/// The name of a layer or tensor, without the module Python code has in front.
fn unqualified(input: ParseStream, errors: &mut Errors) -> Result<Ident> {
    let mut path = TokenStream::new();
    loop {
        let name: Ident = input.parse()?;
        if !input.peek(Token![.]) && !input.peek(Token![::]) {
            if !path.is_empty() {
                errors.push(Problem::new("layers have no module").help(format!("write `{name}` alone")).at(path));
            }
            return Ok(name);
        }
        path.extend([TokenTree::from(name)]);
        while input.peek(Token![.]) || input.peek(Token![:]) {
            path.extend([input.parse::<TokenTree>()?]);
        }
    }
}

fn unsupported_operator(input: ParseStream) -> Result<()> {
    for (operator, found) in [("+", input.peek(Token![+])), ("-", input.peek(Token![-])), ("*", input.peek(Token![*]))] {
        if found {
            return Err(Problem::new(format!("`{operator}` of tensors is not supported yet")).at_next(input));
        }
    }
    Ok(())
}

/// The `;` after a statement. Without one, a layer that is also applied to nothing was only half typed, which is reported
/// when its tensors are missed.
fn end(input: ParseStream, expression: &Expression, errors: &mut Errors) -> Result<()> {
    if input.parse::<Option<Token![;]>>()?.is_some() {
        return Ok(());
    }
    if !input.is_empty() && !starts_statement(input) {
        return Err(Problem::new("expected `;` before this").at_next(input));
    }
    let is_half_typed = match expression {
        Expression::Call(call) => {
            call.layer != Input::NAME && call.tensors.as_ref().is_none_or(|tensors| tensors.names.is_empty())
        }
        Expression::Tensor(name) => Layer::NAMES.iter().any(|layer| name == layer),
    };
    if !is_half_typed {
        errors.push(Problem::new("expected `;` after this").at(expression.last_token()));
    }
    Ok(())
}

/// Whether the next tokens are `name =` or `Model(…)`.
fn starts_statement(input: ParseStream) -> bool {
    let is_model = || input.fork().parse::<Ident>().is_ok_and(|name| name == "Model");
    input.peek(Ident) && (input.peek2(Token![=]) || (input.peek2(token::Paren) && is_model()))
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
