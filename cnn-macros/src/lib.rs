//! The `model!` macro: Keras' functional API as a small compiler, from source text to a checked graph to Rust code.

mod ast;
mod bind;
mod check;
mod common;
mod custom;
mod depth;
mod document;
mod evaluate;
mod expand;
mod fallback;
mod graph;
mod names;
mod offer;
mod parse;
mod report;
mod suggest;
#[cfg(test)]
mod tests;
mod value;
mod way;

use proc_macro2::TokenStream;
use quote::quote;
use report::{Errors, Problem};
use std::collections::HashSet;

/// Declares convolutional networks in the notation of Keras' functional API, and checks them while the program compiles.
///
/// Each `Name { … }` becomes a struct with one field for each layer, a `forward` that calls them in order, and a constant
/// `GRAPH`; attributes and visibility are those of the struct. Statements without a name around them are an expression
/// that builds such a network.
///
/// A statement is `name = Layer(arguments)(tensor);`. Arguments are positional, then keywords, by the names Keras gives
/// them; words such as `relu` and `same` need no keyword. The inputs of the network are its `Input`s in order and its
/// output is what was bound last, unless it closes with `Model(inputs, outputs)`. Under `#![strict]` every window must fit
/// a whole number of times.
///
/// - `block name(parameters, with = defaults)(tensors) { … value }` declares statements that take the place of each
///   `name(…)(…)`. Its layers are called after it, `name_1.conv2d` in checkpoints and `name_1_conv2d` as a field.
/// - `for filters in [32, 64] { … }`, `for _ in 0..3 { … }` and `if stride > 1 { … } else { … }` are decided while the
///   model is checked, over numbers, parameters and variables of loops.
/// - `a + b` is `Add()([a, b])`; `(a, b) = …` names the tensors of a block that gives several.
/// - `conv = Conv2D(32, 3);` makes a layer that is applied later, and may be several times: `conv(x)`.
/// - `Sequential([Input(28, 28, 1), Flatten(), Dense(10)])` is a whole body, and `Sequential([…])(x)` a part of one.
/// - A size may be a constant (`Dense(2 * CLASSES)`) or a parameter of the model (`Net<const SIDE: usize> { … }`): the compiler
///   checks it by the same rules, a model with parameters wherever it is used.
/// - `i = Input(_, _, 3);` leaves sizes open, which are checked when the network runs.
/// - `x: [13, 13, 32] = …` states a shape, which is verified; `x: _ = …` asks for it.
/// - `f = Backbone()(i);` is another model as a layer; one with parameters is by a name that has their values, such as
///   `type Backbone3 = Backbone<3>;`.
/// - `Custom(MyLayer { … })(x)` is a layer of your own: any constant expression of a type that implements
///   `cnn_runtime::layers::CustomLayer`, whose page says how.
/// - Every layer and every block takes `name=stem`, and `frozen` or `trainable=false` to be left as it is by training.
///
/// Every mistake that the macro sees is one compile error on the tokens that caused it. If a name used as a model is not one,
/// only the compiler can tell, and reports three errors on that name.
#[proc_macro]
pub fn model(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    compile(input.into(), &mut Errors::default()).into()
}

/// The code for everything between the braces of `model! { … }`, with the errors found in it.
fn compile(input: TokenStream, errors: &mut Errors) -> TokenStream {
    let (input, too_deep) = depth::shallow(input);
    let source = parse::parse(input, errors);
    check::blocks(&source.blocks, errors);
    let mut used = HashSet::new();
    let expand = |model: &ast::Model| match check::check(model, &source, &mut used, errors) {
        Ok(graph) => expand::expand(model, &graph),
        Err(sketch) => fallback::expand(model, &sketch),
    };
    let models: TokenStream = source.models.iter().map(expand).collect();
    check::unused_blocks(&source.blocks, &used, source.models.is_empty(), errors);
    if let Some(token) = too_deep {
        // What is missing now explains everything else.
        (0..errors.len()).for_each(|mistake| errors.withdraw(mistake));
        errors.push(Problem::new("this is nested too deep").help("bind a part of it to a name first").at(token));
    }
    let errors = errors.to_compile_errors();
    match source.is_expression {
        true => quote!({ #errors #models ::cnn_runtime::Blueprint::<Model>::new() }),
        false => quote!(#errors #models),
    }
}
