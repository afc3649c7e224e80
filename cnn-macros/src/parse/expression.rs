//! What a name is bound to: a layer applied to tensors, another tensor, or a sum.

use super::{call, skip_token};
use crate::ast::{Expression, Tensors};
use crate::report::{Errors, Mistake, Problem, Result, spaced};
use crate::suggest;
use cnn_spec::{Custom, Input, Layer};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{AngleBracketedGenericArguments, Ident, Token, token};

/// `Layer(arguments)(tensors)`, `name`, `a + b` or `Sequential([…])(x)`.
///
/// # Errors
/// If it cannot be parsed; what is wrong with the arguments of its layers is in `errors`.
pub fn expression(input: ParseStream, errors: &mut Errors) -> Result<Expression> {
    let first = term(input, errors)?;
    if !input.peek(Token![+]) || input.peek(Token![+=]) {
        unsupported_operator(input)?;
        return Ok(first);
    }
    let plus: TokenTree = input.fork().parse()?;
    let mut terms = vec![first];
    while input.peek(Token![+]) && !input.peek(Token![+=]) {
        let plus: Token![+] = input.parse()?;
        if input.is_empty() || input.peek(Token![;]) {
            return Err(Problem::new("expected a tensor after `+`").at(plus));
        }
        terms.push(term(input, errors)?);
    }
    unsupported_operator(input)?;
    Ok(Expression::Sum { plus, terms })
}

fn term(input: ParseStream, errors: &mut Errors) -> Result<Expression> {
    if input.peek(token::Paren) {
        let (_, content) = call::group(input)?;
        return call::whole(&content, |content| expression(content, errors));
    }
    if !input.peek(Ident) && !input.peek(Token![self]) {
        return Err(not_a_name(input, "a layer or a tensor"));
    }
    let name = unqualified(input, errors)?;
    if input.peek(token::Brace) && name.to_string().starts_with(char::is_uppercase) {
        return Err(own_layer(input, &name)?);
    }
    if !input.peek(token::Paren) {
        return Ok(Expression::Tensor(name));
    }
    if name == "Sequential" {
        return sequential(input, &name, errors);
    }
    Ok(Expression::Call(call::call(input, name, errors)?))
}

/// What is said of `MyLayer { … }(x)`.
fn own_layer(input: ParseStream, name: &Ident) -> Result<Mistake> {
    let (fields, _) = call::group(input)?;
    let tensors = if input.peek(token::Paren) { spaced(&call::group(input)?.0.into()) } else { "(…)".to_string() };
    let problem = Problem::new(format!("a layer of your own is an argument of `{}`", Custom::NAME));
    let help = format!("write `{}({name} {}){tensors}`", Custom::NAME, spaced(&fields.into()));
    Ok(problem.help(help).at(name))
}

/// That the next token is no name of `what` is expected, which keywords of Rust cannot be.
pub fn not_a_name(input: ParseStream, what: &str) -> Mistake {
    match input.fork().call(Ident::parse_any) {
        Ok(keyword) => Problem::new(format!("`{keyword}` is a keyword of Rust"))
            .help(format!("use another name, such as `{keyword}_`"))
            .at_next(input),
        Err(_) => Problem::new(format!("expected {what}")).at_next(input),
    }
}

/// The name of a layer or tensor, without the module that Python code has in front.
///
/// # Errors
/// If it is a function, or a method of a tensor, rather than a layer.
fn unqualified(input: ParseStream, errors: &mut Errors) -> Result<Ident> {
    let mut path = TokenStream::new();
    loop {
        let name = input.call(Ident::parse_any)?;
        without_parameters(input, &name, errors)?;
        if !input.peek(Token![.]) && !input.peek(Token![::]) {
            return if path.is_empty() { Ok(name) } else { qualified(path, name, input, errors) };
        }
        path.extend([TokenTree::from(name)]);
        while input.peek(Token![.]) || input.peek(Token![:]) {
            path.extend([input.parse::<TokenTree>()?]);
        }
    }
}

/// Reports the `<3>` or `::<3>` behind the name of a layer.
fn without_parameters(input: ParseStream, name: &Ident, errors: &mut Errors) -> Result<()> {
    let ahead = input.fork();
    ahead.parse::<Option<Token![::]>>()?;
    if !ahead.peek(Token![<]) {
        return Ok(());
    }
    let Ok(parameters) = input.fork().parse::<AngleBracketedGenericArguments>() else { return Ok(()) };
    input.parse::<AngleBracketedGenericArguments>()?;
    let help = match Layer::NAMES.iter().any(|layer| name == layer) {
        true => format!("leave them out, and give `{name}` its sizes in parentheses"),
        false => {
            let listed: Vec<String> = parameters.args.iter().map(|argument| spaced(&argument.to_token_stream())).collect();
            let listed = listed.join(", ");
            format!("name the model before it is a layer: `type Part = {name}<{listed}>;`, and write `Part()(…)`")
        }
    };
    errors.push(Problem::new("a layer is called by its name alone, without parameters").help(help).at(parameters));
    Ok(())
}

/// What `name` behind the module or tensor `path` stands for.
fn qualified(path: TokenStream, name: Ident, input: ParseStream, errors: &mut Errors) -> Result<Ident> {
    let first = path.clone().into_iter().next().map(|first| first.to_string()).unwrap_or_default();
    let is_layer = name.to_string().starts_with(char::is_uppercase) || input.peek2(token::Paren);
    let is_module = suggest::is_module(&first);
    let given = input.fork().call(call::contents).unwrap_or_default();
    let (tensor, has_more) = match given.first() {
        Some(TokenTree::Ident(tensor)) if is_module => (tensor.to_string(), given.len() > 1),
        _ if is_module => ("x".to_string(), !given.is_empty()),
        _ => (first, !given.is_empty()),
    };
    let message = if is_module { "layers have no module" } else { "tensors have no methods" };
    let mut blamed = path;
    blamed.extend([TokenTree::from(name.clone())]);
    if let Some(help) = suggest::function(&name.to_string(), &tensor, has_more).filter(|_| !is_layer && input.peek(token::Paren))
    {
        return Err(Problem::new(message).help(format!("write `{help}`")).at(blamed));
    }
    let here = suggest::here(&name.to_string()).filter(|_| is_layer);
    let here = here.map_or_else(|| name.clone(), |here| Ident::new(here, name.span()));
    errors.push(Problem::new(message).help(format!("write `{here}` alone")).at(blamed));
    Ok(here)
}

fn unsupported_operator(input: ParseStream) -> Result<()> {
    if input.peek(Token![.]) {
        let dot: Token![.] = input.parse()?;
        let method =
            input.fork().call(Ident::parse_any).ok().and_then(|method| suggest::function(&method.to_string(), "…", false));
        let help = method.map_or_else(|| "bind it, and apply a layer to it".to_string(), |method| format!("write `{method}`"));
        return Err(Problem::new("tensors have no methods").help(help).at(dot));
    }
    for (operator, layer, found) in [
        ("-", "Subtract", input.peek(Token![-])),
        ("*", "Multiply", input.peek(Token![*])),
        ("+=", "Add", input.peek(Token![+=])),
    ] {
        if found {
            let problem = Problem::new(format!("tensors have no operator `{operator}`"));
            return Err(problem.help(format!("write `{layer}()([a, b])`")).at_next(input));
        }
    }
    Ok(())
}

/// `([Flatten(), Dense(10)])(x)`: each layer applied to the output of the one before.
fn sequential(input: ParseStream, keyword: &Ident, errors: &mut Errors) -> Result<Expression> {
    let layers = layers(input, errors)?;
    let problem = Problem::new("`Sequential` is applied to nothing").help("apply it to a tensor: `Sequential([…])(x)`");
    if !input.peek(token::Paren) {
        return Err(problem.at(keyword));
    }
    let (parentheses, content) = call::group(input)?;
    let mut expressions = call::whole(&content, |content| call::tensors(content, errors))?;
    if expressions.is_empty() {
        return Err(problem.at(keyword));
    }
    for mut layer in layers {
        let parentheses = if expressions.len() == 1 { layer.parentheses.clone() } else { parentheses.clone() };
        layer.tensors = Some(Tensors { parentheses, expressions });
        expressions = vec![Expression::Call(layer)];
    }
    Ok(expressions.remove(0))
}

/// `Sequential([Input(28, 28, 1), …])` as the whole body of a model: one statement for each layer.
///
/// # Errors
/// If it cannot be parsed.
pub fn sequential_body(input: ParseStream, errors: &mut Errors) -> Result<Vec<(Ident, Expression)>> {
    let keyword: Ident = input.parse()?;
    let layers = layers(input, errors)?;
    if layers.first().is_none_or(|layer| layer.layer != Input::NAME) {
        let problem = Problem::new("a `Sequential` model starts with its input");
        return Err(problem.help("begin with one, as in `Sequential([Input(28, 28, 1), …])`").at(keyword));
    }
    let name = |name: &str| Ident::new(name, Span::mixed_site());
    let mut statements = Vec::new();
    for (index, mut layer) in layers.into_iter().enumerate() {
        if index > 0 {
            let before = Expression::Tensor(name(if index == 1 { "i" } else { "x" }));
            layer.tensors = Some(Tensors { parentheses: layer.parentheses.clone(), expressions: vec![before] });
        }
        statements.push((name(if index == 0 { "i" } else { "x" }), Expression::Call(layer)));
    }
    Ok(statements)
}

/// `([Layer(…), Layer(…)])`, or without the brackets.
fn layers(input: ParseStream, errors: &mut Errors) -> Result<Vec<crate::ast::Call>> {
    let (_, content) = call::group(input)?;
    let layers = call::whole(&content, |content| {
        if content.peek(token::Bracket) {
            let (_, inner) = call::group(content)?;
            content.parse::<Option<Token![,]>>()?;
            return call::whole(&inner, |inner| list(inner, errors));
        }
        list(content, errors)
    })?;
    Ok(layers)
}

fn list(input: ParseStream, errors: &mut Errors) -> Result<Vec<crate::ast::Call>> {
    let mut layers = Vec::new();
    while !input.is_empty() {
        let problem =
            Problem::new("`Sequential` takes layers").help("list them: `Sequential([Input(28, 28, 1), Flatten(), Dense(10)])`");
        if !input.peek(Ident) {
            return Err(problem.at_next(input));
        }
        let name = unqualified(input, errors)?;
        if !input.peek(token::Paren) {
            return Err(match Layer::NAMES.iter().any(|layer| name == layer) {
                true => Problem::new(format!("layer `{name}` is not called")).help(format!("write `{name}(…)`")).at(name),
                false => problem.at(name),
            });
        }
        let call = call::call(input, name, errors)?;
        if let Some(tensors) = &call.tensors {
            let problem = Problem::new("a layer of `Sequential` is applied to the one before it");
            return Err(problem.help("leave out its second parentheses").at(&tensors.parentheses));
        }
        layers.push(call);
        if !input.is_empty() && input.parse::<Token![,]>().is_err() {
            let error = Problem::new("expected `,` before this").at_next(input);
            skip_token(input);
            return Err(error);
        }
    }
    Ok(layers)
}
