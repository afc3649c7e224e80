//! What stands in parentheses: the arguments of a layer, the tensors it is applied to, the ends of a model.

use super::expression::expression;
use super::skip_token;
use crate::ast::{Argument, Call, Expression, Given, Outline, Tensors};
use crate::report::{Errors, Problem, Result};
use crate::value;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::cell::OnceCell;
use syn::ext::IdentExt;
use syn::parse::{ParseBuffer, ParseStream, Parser};
use syn::{Expr, Ident, Lifetime, Token, braced, bracketed, parenthesized, token};

/// The arguments and tensors of a call of `layer`.
///
/// # Errors
/// If the tensors cannot be parsed; what is wrong with the arguments is in `errors`.
pub fn call(input: ParseStream, layer: Ident, errors: &mut Errors) -> Result<Call> {
    let (parentheses, content) = group(input)?;
    let arguments = arguments(&content, errors);
    if !input.peek(token::Paren) {
        return Ok(Call { layer, parentheses, arguments, tensors: None, reread: OnceCell::new() });
    }
    let (outer, content) = group(input)?;
    let expressions = whole(&content, |content| tensors(content, errors))?;
    let tensors = Some(Tensors { parentheses: outer, expressions });
    Ok(Call { layer, parentheses, arguments, tensors, reread: OnceCell::new() })
}

/// The arguments between parentheses, or `None` if one is broken.
fn arguments(input: ParseStream, errors: &mut Errors) -> Option<Vec<Argument>> {
    let before = errors.len();
    let mut arguments = Vec::new();
    while !input.is_empty() {
        if let Ok(comma) = input.parse::<Token![,]>() {
            errors.push(Problem::new("expected an argument before this `,`").help("leave it out").at(comma));
            continue;
        }
        match argument(input, errors) {
            Ok(argument) => arguments.push(argument),
            Err(error) => {
                errors.push(error);
                while !input.is_empty() && !input.peek(Token![,]) {
                    skip_token(input);
                }
            }
        }
        if !input.is_empty() && input.parse::<Token![,]>().is_err() {
            errors.push(Problem::new("expected `,` before this").help("write `,` between arguments").at_next(input));
        }
    }
    (errors.len() == before).then_some(arguments)
}

fn argument(input: ParseStream, errors: &mut Errors) -> Result<Argument> {
    let is_equals = input.peek2(Token![=]) || input.peek2(Token![:]) && !input.peek2(Token![::]);
    if !input.peek(Ident::peek_any) || !is_equals {
        return Ok(Argument { keyword: None, given: given(input)? });
    }
    let keyword = input.call(Ident::parse_any)?;
    let equals = equals(input, &keyword, errors)?;
    if input.is_empty() || input.peek(Token![,]) {
        let help = format!("write one, or leave out `{keyword}`");
        return Err(Problem::new(format!("expected a value for `{keyword}`")).help(help).at(equals));
    }
    Ok(Argument { keyword: Some(keyword), given: given(input)? })
}

fn given(input: ParseStream) -> Result<Given> {
    if input.peek(Lifetime) {
        let word: Lifetime = input.parse()?;
        let help = format!("leave out the quote: `{}`, or write `\"{}\"`", word.ident, word.ident);
        return Err(Problem::new("a word has double quotes or none").help(help).at(word));
    }
    value::read(&input.parse::<Expr>()?)
}

/// `=`, for which people also write `==`, `:` and `:=`.
///
/// # Errors
/// If none of them comes next.
pub fn equals(input: ParseStream, name: &Ident, errors: &mut Errors) -> Result<TokenStream> {
    let found = if input.peek(Token![==]) {
        input.parse::<Token![==]>()?.into_token_stream()
    } else if input.peek(Token![:]) {
        let colon: Token![:] = input.parse()?;
        let equals: Option<Token![=]> = input.parse()?;
        quote::quote!(#colon #equals)
    } else {
        return Ok(input.parse::<Token![=]>()?.into_token_stream());
    };
    let text: String = found.clone().into_iter().map(|token| token.to_string()).collect();
    errors.push(Problem::new(format!("expected `=`, found `{text}`")).help(format!("write `{name} = …`")).at(&found));
    Ok(found)
}

/// `x`, `a, b`, `[a, b]` or `(a, b)`, each a name or a layer applied to something.
///
/// # Errors
/// If one cannot be parsed.
pub fn tensors(input: ParseStream, errors: &mut Errors) -> Result<Vec<Expression>> {
    if input.peek(token::Bracket) || (input.peek(token::Paren) && !input.peek2(Token![+])) {
        let (_, content) = group(input)?;
        return whole(&content, |content| list(content, |input| expression(input, errors)));
    }
    list(input, |input| expression(input, errors))
}

/// The tensors in parentheses that have been read as arguments, because the name before them looks like that of a layer.
///
/// # Errors
/// If they are not tensors.
pub fn reread(parentheses: &TokenTree, errors: &mut Errors) -> Result<Vec<Expression>> {
    let mut parsed = Ok(Vec::new());
    let TokenTree::Group(group) = parentheses else { return parsed };
    let parser = |input: ParseStream| {
        parsed = tensors(input, errors).and_then(|tensors| match input.is_empty() {
            true => Ok(tensors),
            false => Err(Problem::new("unexpected token").at_next(input)),
        });
        input.parse::<TokenStream>().map(drop)
    };
    parser.parse2(group.stream())?;
    parsed
}

/// The tokens in the group that comes next.
pub fn contents(input: ParseStream) -> syn::Result<Vec<TokenTree>> {
    let (_, content) = group(input)?;
    Ok(content.parse::<TokenStream>()?.into_iter().collect())
}

fn list<T>(input: ParseStream, mut element: impl FnMut(ParseStream) -> Result<T>) -> Result<Vec<T>> {
    let mut elements = Vec::new();
    while !input.is_empty() {
        elements.push(element(input)?);
        if !input.is_empty() {
            input.parse::<Token![,]>().map_err(|_| Problem::new("expected `,` before this").at_next(input))?;
        }
    }
    Ok(elements)
}

fn tensor(input: ParseStream) -> Result<Ident> {
    let name: Ident = input.parse().map_err(|_: syn::Error| Problem::new("expected the name of a tensor").at_next(input))?;
    if input.peek(token::Paren) {
        let help = format!("bind its output first: `y = {name}(…)(…);`");
        return Err(Problem::new("`Model(…)` lists tensors by their names").help(help).at(name));
    }
    Ok(name)
}

/// `Model(inputs, outputs)`, with or without `;`.
pub fn outline(input: ParseStream) -> Result<Outline> {
    let keyword: Ident = input.parse()?;
    let (_, content) = group(input)?;
    let [inputs, outputs] = whole(&content, sides)?;
    input.parse::<Option<Token![;]>>()?;
    Ok(Outline { keyword, inputs, outputs })
}

const OUTLINE: &str = "write `Model(i, x)`, or `Model([a, b], [y, z])` for several";

fn sides(input: ParseStream) -> Result<[Vec<Ident>; 2]> {
    let inputs = side(input, "inputs")?;
    if input.is_empty() {
        return Err(Problem::new("the outputs of the model are missing").help(OUTLINE).at_next(input));
    }
    input.parse::<Token![,]>()?;
    let outputs = side(input, "outputs")?;
    input.parse::<Option<Token![,]>>()?;
    Ok([inputs, outputs])
}

fn side(input: ParseStream, keyword: &str) -> Result<Vec<Ident>> {
    if input.peek(Ident) && input.peek2(Token![=]) {
        let found: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        if found != keyword {
            return Err(Problem::new(format!("expected `{keyword}`, found `{found}`")).at(found));
        }
    }
    let first: TokenTree = input.fork().parse()?;
    let names = if input.peek(token::Bracket) || input.peek(token::Paren) {
        let (_, content) = group(input)?;
        whole(&content, |content| list(content, tensor))?
    } else {
        vec![tensor(input)?]
    };
    if names.is_empty() {
        Err(Problem::new(format!("the {keyword} of the model are missing")).help(OUTLINE).at(first))
    } else {
        Ok(names)
    }
}

/// The group the input starts with, as one token and as what is inside.
pub fn group<'a>(input: ParseStream<'a>) -> syn::Result<(TokenTree, ParseBuffer<'a>)> {
    let token = input.fork().parse()?;
    let content;
    if input.peek(token::Brace) {
        braced!(content in input);
    } else if input.peek(token::Bracket) {
        bracketed!(content in input);
    } else {
        parenthesized!(content in input);
    }
    Ok((token, content))
}

/// Parses all of a group, and leaves none of it behind even when that fails.
pub fn whole<T>(content: &ParseBuffer, parse: impl FnOnce(ParseStream) -> Result<T>) -> Result<T> {
    let parsed = parse(content).and_then(|parsed| match content.is_empty() {
        true => Ok(parsed),
        false => Err(Problem::new("unexpected token").at_next(content)),
    });
    content.parse::<TokenStream>()?;
    parsed
}
