//! `GRAPH`: the network as data.

use super::{checks, code, layer, shape};
use crate::ast::Model;
use crate::graph::{Described, Graph, Node};
use cnn_spec::{Dim, Shape};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote_spanned;
use std::fmt::Write;

/// The constant.
///
/// A layer stands there once for each call in the source, and a shape once, however many nodes have them: a call of a
/// function costs the compiler much more than a name. The nodes themselves are written as text, because there are many,
/// and a macro that is not optimised takes its time over every token.
pub fn constant(model: &Model, graph: &Graph) -> TokenStream {
    let (name, required) = (model.name.to_string(), checks::required(model, graph));
    let mut values = Values { graph, layers: Vec::new(), shapes: Vec::new(), written: Vec::new() };
    let mut nodes = String::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        values.write(&mut nodes, index, node);
    }
    let nodes = code(&nodes);
    let values = values.written;
    let inputs = graph.inputs.iter().map(|node| Literal::usize_unsuffixed(*node));
    let outputs = graph.outputs.iter().map(|edge| Literal::usize_unsuffixed(edge.node));
    // `spec` is a name in the text, too.
    let spec = Ident::new("spec", Span::call_site());
    quote_spanned! {Span::mixed_site()=>
        const GRAPH: ::cnn_runtime::spec::Graph = {
            use ::cnn_runtime::#spec;
            #required
            #(#values)*
            spec::Graph { name: #name, nodes: &[#nodes], inputs: &[#(#inputs),*], outputs: &[#(#outputs),*] }
        };
    }
}

/// The layers and shapes that have names so far.
struct Values<'a> {
    graph: &'a Graph,
    /// Each by the layer of the network that it was written for first.
    layers: Vec<usize>,
    shapes: Vec<(Shape, String)>,
    written: Vec<TokenStream>,
}

impl Values<'_> {
    fn write(&mut self, text: &mut String, index: usize, node: &Node) {
        let applied = &self.graph.layers[node.layer];
        let (name, tensor, frozen) = (&self.graph.name(applied).path, node.tensor.to_string(), applied.frozen);
        let layer = match &applied.layer {
            Described::Known(_) => self.layer(node.layer),
            _ => checks::described(self.graph, index).to_string(),
        };
        let shape = match &node.shape {
            Some(shape) => self.shape(shape),
            None => checks::shape_of(self.graph, index).to_string(),
        };
        let inputs = &node.inputs;
        let written = write!(
            text,
            "spec::Node {{ name: {name:?}, tensor: {tensor:?}, layer: {layer}, inputs: &{inputs:?}, shape: {shape}, frozen: {frozen} }},"
        );
        written.expect("a string takes what it is given");
    }

    /// The name of a layer.
    fn layer(&mut self, index: usize) -> String {
        let wanted = &self.graph.layers[index];
        let is_same = |known: &&usize| {
            let known = &self.graph.layers[**known];
            known.call == wanted.call && known.layer.known() == wanted.layer.known()
        };
        let first = self.layers.iter().find(is_same).copied();
        let name = self.graph.name(&self.graph.layers[first.unwrap_or(index)]).field.to_string();
        if first.is_none() {
            let (name, layer) = (Ident::new(&name, Span::call_site()), layer(wanted));
            self.layers.push(index);
            self.written.push(quote_spanned!(Span::mixed_site()=> let #name = #layer;));
        }
        name
    }

    /// The name of a shape.
    fn shape(&mut self, wanted: &Shape) -> String {
        // Layers that stand together have the same few.
        if let Some((_, name)) = self.shapes.iter().rev().find(|(known, _)| known == wanted) {
            return name.clone();
        }
        let size = |dim: &Dim| dim.known().map_or_else(|| "n".into(), |size| size.to_string());
        let mut name = format!("shape_{}", wanted.dims().iter().map(size).collect::<Vec<_>>().join("x"));
        while self.graph.names.iter().any(|taken| taken.path == name) {
            name.push('_');
        }
        let (local, shape) = (Ident::new(&name, Span::call_site()), shape(wanted));
        self.shapes.push((*wanted, name.clone()));
        self.written.push(quote_spanned!(Span::mixed_site()=> let #local = #shape;));
        name
    }
}
