//! What a model with mistakes becomes: its type and everything it can do, so that code that uses it shows no errors of its own.

use crate::ast::Model;
use crate::expand::{constructors, module};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

/// As much as is known of a model with mistakes.
pub struct Sketch {
    /// Its layers, as far as they have names.
    pub fields: Vec<Field>,
    /// How many tensors it takes.
    pub inputs: usize,
    /// How many tensors it gives.
    pub outputs: usize,
}

/// One layer.
pub struct Field {
    pub name: Ident,
    pub layer: Ident,
    /// Whether it is another model.
    pub is_model: bool,
}

/// The type without its network.
pub fn expand(model: &Model, sketch: &Sketch) -> TokenStream {
    let Model { attrs, vis, name, generics, .. } = model;
    let (parameters, arguments, _) = generics.split_for_impl();
    let fields = sketch.fields.iter().map(|Field { name, layer, is_model }| match is_model {
        true => quote_spanned!(Span::mixed_site()=> pub #name: #layer),
        false => quote_spanned!(Span::mixed_site()=> pub #name: ::cnn_runtime::layers::#layer),
    });
    let constructors = constructors(&TokenStream::new());
    let tensor = quote_spanned!(Span::mixed_site()=> ::cnn_runtime::candle_core::Tensor);
    let (inputs, outputs) = (vec![&tensor; sketch.inputs], vec![&tensor; sketch.outputs]);
    let outputs = match outputs.as_slice() {
        [output] => quote_spanned!(Span::mixed_site()=> #output),
        outputs => quote_spanned!(Span::mixed_site()=> (#(#outputs),*)),
    };
    let module = (sketch.inputs == 1 && sketch.outputs == 1).then(|| module(model));
    let text = name.to_string();
    quote_spanned! {Span::mixed_site()=>
        #(#attrs)*
        #vis struct #name #generics {
            #(#fields,)*
        }

        impl #parameters #name #arguments {
            #constructors

            pub fn forward(
                &self,
                #(_: &#inputs,)*
                _: &::cnn_runtime::Context,
            ) -> ::cnn_runtime::candle_core::Result<#outputs> {
                unreachable!()
            }
        }

        impl #parameters ::cnn_runtime::Network for #name #arguments {
            const GRAPH: ::cnn_runtime::spec::Graph =
                ::cnn_runtime::spec::Graph { name: #text, nodes: &[], inputs: &[], outputs: &[] };

            fn build(_: &::cnn_runtime::Weights<'_>) -> ::cnn_runtime::candle_core::Result<Self> {
                unreachable!()
            }

            fn call(
                &self,
                _: &[::cnn_runtime::candle_core::Tensor],
                _: &::cnn_runtime::Context,
            ) -> ::cnn_runtime::candle_core::Result<Vec<::cnn_runtime::candle_core::Tensor>> {
                unreachable!()
            }
        }

        #module
    }
}
