//! `build`: every layer as its first node describes it.

use crate::graph::{Described, Graph, Layer};
use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::quote_spanned;

/// The function that makes a network of tensors.
///
/// The layers of a kind are made together, and each is bound before they are put together: a statement that may fail costs
/// the compiler much more than a name.
pub fn build(graph: &Graph) -> TokenStream {
    let kinds = kinds(graph).into_iter().map(|Kind { ty, fields, nodes }| {
        quote_spanned!(Span::mixed_site()=> let [#(#fields),*] = layers::build::<#ty, _>(&graph, [#(#nodes),*], weights)?;)
    });
    let fields = graph.layers.iter().map(|layer| &graph.name(layer).field);
    let customs = graph.layers.iter().enumerate().filter(|(_, layer)| is_custom(layer)).map(|(index, layer)| {
        let (field, node) = (&graph.name(layer).field, first(graph, index));
        quote_spanned!(Span::mixed_site()=> let #field = layers::Custom::build(#field, &graph, #node, weights)?;)
    });
    let network = quote_spanned! {Span::mixed_site()=>
        use ::cnn_runtime::layers;
        let graph = Self::GRAPH;
        #(#kinds)*
        #(#customs)*
        Ok(Self { #(#fields),* })
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

/// The layers of one type.
struct Kind<'a> {
    ty: TokenStream,
    fields: Vec<&'a Ident>,
    /// The first node of each.
    nodes: Vec<Literal>,
}

fn kinds(graph: &Graph) -> Vec<Kind<'_>> {
    let mut kinds: Vec<(String, Kind)> = Vec::new();
    for (index, layer) in graph.layers.iter().enumerate().filter(|(_, layer)| !is_custom(layer)) {
        let kind = layer.kind();
        let place = kinds.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            kinds.push((kind, Kind { ty: layer.ty(), fields: Vec::new(), nodes: Vec::new() }));
            kinds.len() - 1
        });
        kinds[place].1.fields.push(&graph.name(layer).field);
        kinds[place].1.nodes.push(first(graph, index));
    }
    kinds.into_iter().map(|(_, kind)| kind).collect()
}

fn is_custom(layer: &Layer) -> bool {
    matches!(layer.layer, Described::Custom(..))
}

/// The first node that applies a layer.
fn first(graph: &Graph, layer: usize) -> Literal {
    let first = graph.nodes.iter().position(|node| node.layer == layer).expect("a layer is listed once it is applied");
    Literal::usize_unsuffixed(first)
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
