//! A layer of the user's own, as `Custom(…)` is given it: the expression, and what it is called.

use crate::ast::{Given, Written};
use crate::evaluate::constant_called;
use crate::names::snake;
use crate::report::{Problem, Result, code};
use cnn_spec::{Custom, Value};
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Expr, Ident, Member, Path};

/// The expression whose value is the layer, with parameters replaced by what they stand for.
///
/// # Errors
/// If it is a number, a list or another value of the language.
pub fn expression(given: &Given) -> Result<TokenStream> {
    let first = || given.tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
    match &given.written {
        Written::Expression(expr) => Ok(expr.to_token_stream()),
        Written::Name(name) => Ok(constant_called(name, first())),
        Written::Value(call @ Value::Call(..)) => Ok(constant_called(&call.to_string(), first())),
        _ => Err(Problem::new(format!("`Custom` takes a layer of your own, found {}", code(&given.tokens)))
            .help("give it a value of a type that implements `CustomLayer`, as in `Custom(MyLayer { … })(x)`")
            .at(&given.tokens)),
    }
}

/// What the layer is called: its type if the expression names it, else the constant or the function.
pub fn name(layer: &TokenStream) -> Option<String> {
    let expr = syn::parse2::<Expr>(layer.clone()).ok()?;
    path(&expr).and_then(|path| {
        let mut names = path.segments.iter().map(|segment| segment.ident.to_string()).rev();
        let last = names.next()?;
        let is_type = |name: &String| name.starts_with(char::is_uppercase);
        Some(if is_type(&last) { last } else { names.find(is_type).unwrap_or(last) })
    })
}

/// What the layer is called when it is given no name: `squeeze_excite`, or `custom` if that cannot be a field.
pub fn automatic_name(given: &Given) -> String {
    let name = expression(given).ok().and_then(|layer| name(&layer)).map(|name| snake(&name));
    let is_field = |name: &String| syn::parse_str::<Ident>(name).is_ok() && !name.starts_with("r#");
    name.filter(is_field).unwrap_or_else(|| snake(Custom::NAME))
}

fn path(expr: &Expr) -> Option<&Path> {
    match expr {
        Expr::Struct(literal) => Some(&literal.path),
        Expr::Path(path) => Some(&path.path),
        Expr::Call(call) => path(&call.func),
        Expr::MethodCall(call) => path(&call.receiver),
        Expr::Paren(inner) => path(&inner.expr),
        Expr::Group(inner) => path(&inner.expr),
        _ => None,
    }
}

/// The fields of a struct literal, each with the tokens of its value: what the rule may blame by name.
pub fn fields(layer: &TokenStream) -> Vec<(String, TokenStream)> {
    let Ok(Expr::Struct(literal)) = syn::parse2::<Expr>(layer.clone()) else { return Vec::new() };
    let field = |field: syn::FieldValue| match field.member {
        Member::Named(name) => Some((name.to_string(), field.expr.into_token_stream())),
        Member::Unnamed(_) => None,
    };
    literal.fields.into_iter().filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Errors;

    #[test]
    fn a_layer_is_called_by_its_type_if_that_can_be_seen() {
        let called = |source: &str| name(&source.parse().unwrap()).unwrap();
        let sources =
            ["Scale { start: 1.0 }", "my::Scale", "Scale::new(1.0)", "Scale::new(1).bias(true)", "my::SCALE", "scale(1)"];
        assert_eq!(sources.map(called), ["Scale", "Scale", "Scale", "Scale", "SCALE", "scale"]);
        assert_eq!(name(&"&[1]".parse().unwrap()), None);
        let automatic = |source| automatic_name(&given(source));
        assert_eq!(
            ["SqueezeExcite { ratio: 4 }", "r#fn", "Loop", "32"].map(automatic),
            ["squeeze_excite", "custom", "custom", "custom"]
        );
    }

    #[test]
    fn a_number_is_no_layer() {
        for source in ["32", "(1, 2)", "\"relu\"", "None"] {
            let mut errors = Errors::default();
            let parsed: Vec<_> = expression(&given(source)).map_err(|error| errors.push(error)).into_iter().collect();
            assert_eq!((parsed.len(), errors.len()), (0, 1), "{source}");
        }
    }

    fn given(source: &str) -> Given {
        crate::value::read(&syn::parse_str(source).unwrap()).unwrap_or_else(|_| panic!("{source} is a value"))
    }
}
