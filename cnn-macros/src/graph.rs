//! The checked network: every layer with its arguments, inputs and shape, and where in the source each came from.

use cnn_spec::{Inferred, Layer};
use proc_macro2::Span;
use syn::Ident;

/// A network without mistakes, its nodes in an order in which each comes after its inputs.
pub struct Graph {
    pub nodes: Vec<Node>,
    /// What `forward` does, in order.
    pub steps: Vec<Step>,
    /// The nodes where tensors enter.
    pub inputs: Vec<usize>,
    /// The tensors that leave.
    pub outputs: Vec<Edge>,
}

/// One layer applied to tensors.
pub struct Node {
    /// The layer's name: its field in the model.
    pub name: Ident,
    /// The tensor it is bound to.
    pub tensor: Ident,
    pub layer: Layer,
    /// The layer's name as written.
    pub kind: Ident,
    /// The arguments that were given.
    pub arguments: Vec<Argument>,
    pub inputs: Vec<Edge>,
    pub inferred: Inferred,
}

/// Where an argument was written.
pub struct Argument {
    pub name: &'static str,
    /// The token that says which argument it is.
    pub label: Span,
    /// The first token of its value.
    pub value: Span,
}

/// A tensor where it is used.
pub struct Edge {
    /// The node that gives it.
    pub node: usize,
    /// The name it is used by.
    pub tensor: Ident,
}

/// One statement.
pub enum Step {
    /// Applies the layer of a node.
    Apply(usize),
    /// Gives a tensor another name.
    Alias { name: Ident, of: Ident },
}

impl Graph {
    /// Whether the output of `node` is one of the network's and nothing else.
    pub fn is_last(&self, node: usize) -> bool {
        let feeds_a_layer = || self.nodes.iter().any(|other| other.inputs.iter().any(|edge| edge.node == node));
        self.outputs.iter().any(|output| output.node == node) && !feeds_a_layer()
    }
}
