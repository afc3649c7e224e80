//! `GRAPH`: the network as data.

use super::{checks, code, shape};
use crate::ast::Model;
use crate::graph::{Described, Graph, Node};
use cnn_spec::{Dim, Shape};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote_spanned;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The constant.
///
/// Each call in the source and each shape is a name there, once, and the nodes are columns of those names: a name costs the
/// compiler much less than an expression. The columns are written as text, because there are many nodes, and a macro that is not
/// optimised takes its time over every token.
pub fn constant(model: &Model, graph: &Graph) -> TokenStream {
    let (name, required) = (model.name.to_string(), checks::required(model, graph));
    let mut values = Values::new(graph);
    let (mut names, mut calls, mut shapes) = (String::new(), String::new(), String::new());
    for (index, node) in graph.nodes.iter().enumerate() {
        let name = &graph.name(&graph.layers[node.layer]).path;
        names.extend(["\"", name, "\", "]);
        calls.extend([values.call(index, node).as_str(), ", "]);
        shapes.extend([values.shape(index, node).as_str(), ", "]);
    }
    let inputs: Vec<usize> = graph.nodes.iter().flat_map(|node| node.inputs.iter().copied()).collect();
    let outputs: Vec<usize> = graph.outputs.iter().map(|edge| edge.node).collect();
    let Values { written, ranks, .. } = values;
    let ranks = ranks.values().map(|(names, sizes)| format!("let [{names}] = spec::Shape::each([{sizes}]);"));
    let network = code(&format!(
        "{} spec::Graph {{
            name: {name:?},
            nodes: &spec::Columns {{ names: [{names}], calls: [{calls}], shapes: [{shapes}], inputs: &{inputs:?} }}.nodes(),
            inputs: &{:?},
            outputs: &{outputs:?},
        }}",
        ranks.collect::<String>(),
        graph.inputs
    ));
    // `spec` is a name in the text, too.
    let spec = Ident::new("spec", Span::call_site());
    quote_spanned! {Span::mixed_site()=>
        const GRAPH: ::cnn_runtime::spec::Graph = {
            use ::cnn_runtime::#spec;
            #required
            #(#written)*
            #network
        };
    }
}

/// The calls and shapes that have names so far.
struct Values<'a> {
    graph: &'a Graph,
    /// The node that each call was written for, and its name, by the place of the call in the source.
    calls: HashMap<usize, Vec<(usize, String)>>,
    shapes: HashMap<Shape, String>,
    /// The names of the shapes of each rank, and their sizes.
    ranks: BTreeMap<usize, (String, String)>,
    taken: HashSet<String>,
    written: Vec<TokenStream>,
}

impl<'a> Values<'a> {
    fn new(graph: &'a Graph) -> Self {
        let (calls, shapes, ranks) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        Self { graph, calls, shapes, ranks, taken: HashSet::new(), written: Vec::new() }
    }

    /// The name of the call that a node comes from.
    fn call(&mut self, index: usize, node: &Node) -> String {
        let applied = self.graph.layer(index);
        let earlier = self.calls.get(&applied.call).map_or(&[][..], Vec::as_slice);
        if let Some((_, name)) = earlier.iter().find(|(earlier, _)| self.is_same(*earlier, index)) {
            return name.clone();
        }
        let name = self.free(self.graph.name(applied).field.to_string());
        let local = Ident::new(&name, Span::call_site());
        let (tensor, inputs) = (node.tensor.to_string(), Literal::usize_unsuffixed(node.inputs.len()));
        let (layer, frozen) = (checks::described(self.graph, index), applied.frozen);
        self.written.push(quote_spanned! {Span::mixed_site()=>
            let #local = spec::Call { tensor: #tensor, layer: #layer, inputs: #inputs, frozen: #frozen };
        });
        self.calls.entry(applied.call).or_default().push((index, name.clone()));
        name
    }

    /// Whether two nodes that come from one call are all that a call says of them.
    fn is_same(&self, earlier: usize, index: usize) -> bool {
        let [(earlier, from), (node, applied)] =
            [earlier, index].map(|index| (&self.graph.nodes[index], self.graph.layer(index)));
        let is_same_layer = match (&from.layer, &applied.layer) {
            (Described::Known(from), Described::Known(applied)) => from == applied,
            // What its rule infers differs from node to node.
            (Described::Custom(..), _) => false,
            _ => earlier.layer == node.layer,
        };
        let is_applied_alike = earlier.inputs.len() == node.inputs.len() && earlier.tensor == node.tensor;
        is_same_layer && is_applied_alike && from.frozen == applied.frozen
    }

    /// The name of the shape of what a node gives.
    fn shape(&mut self, index: usize, node: &Node) -> String {
        let Some(wanted) = &node.shape else { return checks::shape_of(self.graph, index).to_string() };
        if let Some(name) = self.shapes.get(wanted) {
            return name.clone();
        }
        let size = |dim: &Dim| dim.known().map_or_else(|| "n".into(), |size| size.to_string());
        let sizes: Vec<String> = wanted.dims().iter().map(size).collect();
        let name = self.free(format!("shape_{}", sizes.join("x")));
        if wanted.is_known() {
            let (names, listed) = self.ranks.entry(wanted.rank()).or_default();
            names.extend([name.as_str(), ", "]);
            listed.extend(["[", sizes.join(", ").as_str(), "], "]);
        } else {
            let (local, shape) = (Ident::new(&name, Span::call_site()), shape(wanted));
            self.written.push(quote_spanned!(Span::mixed_site()=> let #local = #shape;));
        }
        self.shapes.insert(*wanted, name.clone());
        name
    }

    /// `name`, or one like it that nothing else has.
    fn free(&mut self, mut name: String) -> String {
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}
