//! `build`: every layer as its first node describes it.

use super::code;
use crate::graph::{Described, Graph, Layer};
use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use std::collections::HashMap;

/// The function that makes a network of tensors.
///
/// The layers of a kind are made together, and each is bound before they are put together: a statement that may fail costs
/// the compiler much more than a name.
pub fn build(graph: &Graph) -> TokenStream {
    let first = first_nodes(graph);
    let kinds = kinds(graph, &first).into_iter().map(|Kind { ty, fields, nodes }| {
        let (fields, nodes) = (code(&fields), code(&nodes));
        quote_spanned!(Span::mixed_site()=> let [#fields] = layers::build::<#ty, _>(&graph, [#nodes], weights)?;)
    });
    let customs = graph.layers.iter().zip(&first).filter(|(layer, _)| is_custom(layer)).map(|(layer, node)| {
        let (own, node) = (&graph.name(layer).field, Literal::usize_unsuffixed(*node));
        let field = Ident::new(&own.to_string(), Span::call_site());
        quote_spanned!(Span::mixed_site()=> let #field = layers::Custom::build(#own, &graph, #node, weights)?;)
    });
    let fields: Vec<String> = graph.layers.iter().map(|layer| graph.name(layer).field.to_string()).collect();
    let fields = code(&fields.join(", "));
    let network = quote_spanned! {Span::mixed_site()=>
        use ::cnn_runtime::layers;
        let graph = Self::GRAPH;
        #(#kinds)*
        #(#customs)*
        Ok(Self { #fields })
    };
    // What the user wrote sees no name of ours.
    let own: Vec<TokenStream> = graph.layers.iter().filter_map(|layer| own(graph, layer)).collect();
    let network = if own.is_empty() { network } else { quote_spanned!(Span::mixed_site()=> #(#own)* { #network }) };
    quote_spanned! {Span::mixed_site()=>
        fn build(weights: &::cnn_runtime::Weights<'_>) -> ::cnn_runtime::candle_core::Result<Self> {
            #network
        }
    }
}

/// The layers of one type, as the text of lists.
struct Kind {
    ty: TokenStream,
    fields: String,
    /// The first node of each.
    nodes: String,
}

fn kinds(graph: &Graph, first: &[usize]) -> Vec<Kind> {
    let (mut kinds, mut places) = (Vec::<Kind>::new(), HashMap::new());
    for (layer, node) in graph.layers.iter().zip(first).filter(|(layer, _)| !is_custom(layer)) {
        let place = *places.entry(layer.kind()).or_insert_with(|| {
            kinds.push(Kind { ty: layer.ty(), fields: String::new(), nodes: String::new() });
            kinds.len() - 1
        });
        kinds[place].fields.extend([graph.name(layer).field.to_string().as_str(), ", "]);
        kinds[place].nodes.extend([node.to_string().as_str(), ", "]);
    }
    kinds
}

fn is_custom(layer: &Layer) -> bool {
    matches!(layer.layer, Described::Custom(..))
}

/// The first node that applies each layer.
fn first_nodes(graph: &Graph) -> Vec<usize> {
    let mut first = vec![0; graph.layers.len()];
    graph.nodes.iter().enumerate().rev().for_each(|(index, node)| first[node.layer] = index);
    first
}

/// A layer of the user's own, before it has tensors.
fn own(graph: &Graph, layer: &Layer) -> Option<TokenStream> {
    let Described::Custom(_, value) = &layer.layer else { return None };
    let field = &graph.name(layer).field;
    let spans: Vec<Span> = value.clone().into_iter().map(|token| token.span()).collect();
    let (first, last) = (*spans.first()?, *spans.last()?);
    let keyword = quote_spanned!(first=> const);
    let mut block = Group::new(Delimiter::Brace, value.clone());
    block.set_span(last);
    let block = TokenTree::from(block);
    Some(quote_spanned!(Span::mixed_site()=> let #field = ::cnn_runtime::layers::own(#keyword #block);))
}
