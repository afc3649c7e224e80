//! Which tokens of a call an error of the rule book is about.

use crate::ast::{Call, Expression};
use crate::bind::Filled;
use crate::custom;
use crate::graph::Blamed;
use cnn_spec::{self as spec, At};
use proc_macro2::TokenStream;
use quote::ToTokens;

/// The tokens of everything in a call that an error of the rule book may be about.
pub fn blamable(call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> Vec<(Blamed, TokenStream)> {
    let mut blamable = Vec::new();
    for (argument, filled) in table.iter().zip(filled) {
        let Some(filled) = filled else { continue };
        if let spec::Value::Tuple(values) = &filled.value {
            let element = |i| (Blamed::Element(argument.name, i), filled.given.element(i).clone());
            blamable.extend((0..values.len()).map(element));
        }
        if let Some((_, layer)) = filled.constants.first().filter(|_| argument.kind == spec::Kind::Layer) {
            blamable.extend(custom::fields(layer).into_iter().map(|(name, value)| (Blamed::Argument(name), value)));
        }
        blamable.push((Blamed::Argument(argument.name.to_string()), filled.given.tokens.clone()));
    }
    if let Some(tensors) = &call.tensors {
        let tokens = tensors.expressions.iter().map(token_of);
        blamable.extend(tokens.enumerate().map(|(i, tokens)| (Blamed::Input(i), tokens)));
        blamable.push((Blamed::Inputs, tensors.parentheses.to_token_stream()));
    }
    blamable
}

/// The token that an expression is known by.
pub fn token_of(expression: &Expression) -> TokenStream {
    match expression {
        Expression::Tensor(name) => name.to_token_stream(),
        Expression::Call(call) => call.layer.to_token_stream(),
        Expression::Sum { plus, .. } => plus.to_token_stream(),
    }
}

/// The tokens that an error of the rule book is about.
pub fn blamed(at: At, call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> TokenStream {
    let given = |name: &str| {
        let place = table.iter().position(|argument| argument.name == name)?;
        filled[place].as_ref().map(|filled| &filled.given)
    };
    let tokens = match (at, &call.tensors) {
        (At::Argument(name), _) => given(name).map(|given| given.tokens.clone()),
        (At::Element(name, index), _) => given(name).map(|given| given.element(index).clone()),
        (At::Input(index), Some(tensors)) => tensors.expressions.get(index).map(token_of),
        (At::Inputs, Some(tensors)) => Some(tensors.parentheses.to_token_stream()),
        _ => None,
    };
    tokens.unwrap_or_else(|| call.layer.to_token_stream())
}
