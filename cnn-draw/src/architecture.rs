//! What tables and pictures know of a network: its layers in words and numbers, and how they are connected.

use crate::notation::{self, Argument};
use cnn_spec::{self as spec, Field, Graph, Shape};
use std::collections::HashSet;

/// A network to be shown, its layers in an order in which each comes after its inputs.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// The name of the model.
    pub name: String,
    /// Its layers, one that is applied several times as often.
    pub layers: Vec<Layer>,
    /// The layers whose outputs leave.
    pub outputs: Vec<usize>,
}

/// One application of a layer. What follows from sizes that are not known is `None`.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its name in the model, after those of the blocks it is in: `residual_1.conv2d`.
    pub name: String,
    /// The layer's name in the language: `Conv2D`.
    pub kind: String,
    /// The arguments that differ from their defaults.
    pub arguments: Vec<Argument>,
    /// The layers it is applied to.
    pub inputs: Vec<usize>,
    /// The shape of its output, without the batch.
    pub shape: Option<Shape>,
    /// The number of values in its weights and their like; 0 where it is applied again.
    pub parameters: Option<u64>,
    /// Multiply-adds for one example.
    pub macs: Option<u64>,
    /// The part of the input that one cell of its output sees.
    pub field: Option<Field>,
    /// Whether training leaves its parameters as they are.
    pub frozen: bool,
}

impl From<&Graph> for Architecture {
    fn from(graph: &Graph) -> Self {
        let mut seen = HashSet::new();
        let layer = |((index, node), field): ((usize, &spec::Node), Field)| {
            let macs = match node.layer {
                spec::Layer::Model(network) => network.macs(),
                _ => graph.inferred(index).ok().and_then(|inferred| inferred.macs),
            };
            Layer {
                name: node.name.into(),
                kind: node.layer.name().into(),
                arguments: notation::arguments(node.layer.name(), node.layer.settings()),
                inputs: node.inputs.to_vec(),
                shape: Some(node.shape),
                parameters: Some(if seen.insert(node.name) { graph.count_params_of(index) } else { 0 }),
                macs,
                field: Some(field),
                frozen: node.frozen,
            }
        };
        let layers = graph.nodes.iter().enumerate().zip(graph.receptive_fields()).map(layer).collect();
        Self { name: graph.name.into(), layers, outputs: graph.outputs.to_vec() }
    }
}

impl Layer {
    /// The layer as the model calls it: `Conv2D(32, 3, stride=2, relu)`.
    pub fn call(&self) -> String {
        self.written(|_| true)
    }

    /// The call without what concerns only its training.
    pub fn short_call(&self) -> String {
        self.written(|argument| !argument.is_of_training())
    }

    fn written(&self, is_shown: impl Fn(&Argument) -> bool) -> String {
        let arguments = self.arguments.iter().filter(|argument| is_shown(argument)).map(|argument| argument.text.as_str());
        let arguments: Vec<&str> = arguments.chain(self.frozen.then_some("frozen")).collect();
        if arguments.is_empty() { self.kind.clone() } else { format!("{}({})", self.kind, arguments.join(", ")) }
    }
}
