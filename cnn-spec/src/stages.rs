//! Which layers one pass over memory computes when a network predicts.
//!
//! A convolution writes every value once. What would read each of them only to change it and write it again, a batch
//! normalisation, a sum with another branch or an activation, can be done before it is written: a normalisation by known
//! statistics even goes into the weights (Jacob et al., 2018, section 3.2).

use crate::activation::Activation;
use crate::{Graph, Layer, ReLU};

/// A layer, and those after it that change its values on their way out: first the normalisation, then the sum, then the
/// activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The node of the layer.
    pub node: usize,
    /// The node of the batch normalisation whose scale and shift go into the layer's weights.
    pub norm: Option<usize>,
    /// The node whose output is added.
    pub add: Option<usize>,
    /// The function its output ends in.
    pub activation: Activation,
    /// The node whose output this is.
    pub output: usize,
}

impl Graph {
    /// The stages of inference, each after those whose outputs it takes.
    pub fn stages(&self) -> Vec<Stage> {
        let mut is_taken = vec![false; self.nodes.len()];
        let mut stages = Vec::new();
        for node in 0..self.nodes.len() {
            if !is_taken[node] {
                let stage = self.stage(node, &mut is_taken);
                stages.push(stage);
            }
        }
        // What is added may be computed by a layer further down.
        stages.sort_by_key(|stage| stage.output);
        stages
    }

    /// The rectifier that the pass of node `index` computes too while the network trains, and what it is: a plain `ReLU` or `ReLU(6)` after a
    /// batch normalisation or a sum, if nothing else takes what it takes, and both are applied once.
    pub fn rectifier(&self, index: usize) -> Option<(usize, Activation)> {
        if !matches!(self.nodes[index].layer, Layer::BatchNormalization(_) | Layer::Add(_)) {
            return None;
        }
        let is_applied_once = |index: usize| self.nodes.iter().filter(|node| node.name == self.nodes[index].name).count() == 1;
        let next = self.only_use(index).filter(|next| is_applied_once(index) && is_applied_once(*next))?;
        match self.nodes[next].layer {
            Layer::ReLU(_) => Some((next, elementwise(&self.nodes[next].layer)?)),
            _ => None,
        }
    }

    fn stage(&self, node: usize, is_taken: &mut [bool]) -> Stage {
        let mut stage = Stage { node, norm: None, add: None, activation: Activation::Linear, output: node };
        if !self.nodes[node].layer.takes_others_along() {
            return stage;
        }
        stage.activation = self.inferred(node).map_or(Activation::Linear, |inferred| inferred.ends_in);
        while let Some(next) = self.only_use(stage.output).filter(|next| !is_taken[*next]) {
            let ended = stage.activation != Activation::Linear;
            let inputs = self.nodes[next].inputs;
            match (&self.nodes[next].layer, inputs) {
                (layer, _) if is_identity(layer) => {}
                (Layer::BatchNormalization(_), _) if !ended && stage.norm.is_none() && stage.add.is_none() => {
                    stage.norm = Some(next);
                }
                (Layer::Add(_), [a, b]) if !ended && stage.add.is_none() && self.nodes[*a].shape == self.nodes[*b].shape => {
                    stage.add = Some(if *a == stage.output { *b } else { *a });
                }
                (layer, _) if !ended && let Some(activation) = elementwise(layer) => stage.activation = activation,
                _ => break,
            }
            is_taken[next] = true;
            stage.output = next;
        }
        stage
    }

    /// The node that takes the output of `node`, if it is the only one, takes it once, and nothing else does.
    fn only_use(&self, node: usize) -> Option<usize> {
        let mut uses = (0..self.nodes.len()).flat_map(|user| {
            let inputs = self.nodes[user].inputs.iter().filter(move |input| **input == node);
            inputs.map(move |_| user)
        });
        match (uses.next(), uses.next()) {
            (Some(user), None) if !self.outputs.contains(&node) => Some(user),
            _ => None,
        }
    }
}

impl Layer {
    /// Whether the layer's pass can change its values once more when the network predicts: it multiplies by weights, which are laid out once.
    pub fn takes_others_along(&self) -> bool {
        use Layer::{Conv1D, Conv2D, Conv3D, Dense, DepthwiseConv1D, DepthwiseConv2D};
        matches!(self, Conv1D(_) | Conv2D(_) | Conv3D(_) | DepthwiseConv1D(_) | DepthwiseConv2D(_) | Dense(_))
    }
}

/// Whether a layer changes nothing when the network predicts.
fn is_identity(layer: &Layer) -> bool {
    matches!(
        layer,
        Layer::Dropout(_)
            | Layer::SpatialDropout1D(_)
            | Layer::SpatialDropout2D(_)
            | Layer::SpatialDropout3D(_)
            | Layer::GaussianNoise(_)
            | Layer::GaussianDropout(_)
            | Layer::AlphaDropout(_)
            | Layer::Identity(_)
    )
}

/// The activation a layer is, if it is one of single values.
fn elementwise(layer: &Layer) -> Option<Activation> {
    match layer {
        Layer::Activation(layer) if layer.activation.is_elementwise() => Some(layer.activation),
        Layer::ReLU(relu) if *relu == ReLU::new() => Some(Activation::Relu),
        Layer::ReLU(relu) if *relu == ReLU::new().max_value(Some(6.0)) => Some(Activation::Relu6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Add, BatchNormalization, Conv2D, Dropout, Input, Node, Shape};

    const IMAGE: Shape = Shape::new([8, 8, 4]);

    fn graph(layers: &[(Layer, &'static [usize])], outputs: &'static [usize]) -> Graph {
        let node = |(layer, inputs): &(Layer, &'static [usize])| Node {
            name: "layer",
            tensor: "x",
            layer: *layer,
            inputs,
            shape: IMAGE,
            frozen: false,
        };
        Graph { name: "Net", nodes: layers.iter().map(node).collect::<Vec<_>>().leak(), inputs: &[0], outputs }
    }

    const INPUT: (Layer, &[usize]) = (Layer::Input(Input::new(IMAGE)), &[]);
    const CONV: Layer = Layer::Conv2D(Conv2D::new(4, [1, 1]));
    const NORM: Layer = Layer::BatchNormalization(BatchNormalization::new());
    const RELU: Layer = Layer::ReLU(ReLU::new());
    const ADD: Layer = Layer::Add(Add::new());

    /// The stages whose layers are not on their own.
    fn fused(graph: Graph) -> Vec<Stage> {
        graph.stages().into_iter().filter(|stage| stage.node != stage.output).collect()
    }

    /// A stage of some nodes: the layer, the normalisation, what is added, and the output.
    fn stage([node, output]: [usize; 2], norm: Option<usize>, add: Option<usize>, activation: Activation) -> Stage {
        Stage { node, norm, add, activation, output }
    }

    #[test]
    fn a_residual_block_is_a_pass_for_each_convolution() {
        // The shortcut's convolution comes after the one whose stage adds it.
        let layers = [
            INPUT,
            (CONV, &[0][..]),
            (NORM, &[1]),
            (RELU, &[2]),
            (CONV, &[3]),
            (NORM, &[4]),
            (CONV, &[0]),
            (NORM, &[6]),
            (ADD, &[5, 7]),
            (RELU, &[8]),
        ];
        let expected = [
            stage([1, 3], Some(2), None, Activation::Relu),
            stage([6, 7], Some(7), None, Activation::Linear),
            stage([4, 9], Some(5), Some(7), Activation::Relu),
        ];
        assert_eq!(fused(graph(&layers, &[9])), expected);
    }

    #[test]
    fn what_something_else_takes_is_written() {
        let layers = [INPUT, (CONV, &[0][..]), (NORM, &[1]), (RELU, &[2]), (ADD, &[1, 3])];
        assert_eq!(fused(graph(&layers, &[4])), []);
        let layers = [INPUT, (CONV, &[0][..]), (NORM, &[1]), (RELU, &[2])];
        assert_eq!(fused(graph(&layers, &[1, 3])), []);
        let layers = [INPUT, (CONV, &[0][..]), (ADD, &[1, 1]), (RELU, &[2])];
        assert_eq!(fused(graph(&layers, &[3])), []);
    }

    #[test]
    fn a_rectifier_is_computed_with_what_only_it_takes() {
        let clipped = Layer::ReLU(ReLU::new().max_value(Some(6.0)));
        let layers = [INPUT, (NORM, &[0][..]), (RELU, &[1]), (ADD, &[2, 0]), (clipped, &[3]), (NORM, &[4]), (NORM, &[5])];
        let rectifiers = |graph: Graph| (0..graph.nodes.len()).map(|index| graph.rectifier(index)).collect::<Vec<_>>();
        let named = |outputs| {
            let graph = graph(&layers, outputs);
            let name = |(index, node): (usize, &Node)| Node { name: ["a", "b", "c", "d", "e", "f", "g"][index], ..*node };
            Graph { nodes: graph.nodes.iter().enumerate().map(name).collect::<Vec<_>>().leak(), ..graph }
        };
        let [plain, clipped] = [Some((2, Activation::Relu)), Some((4, Activation::Relu6))];
        assert_eq!(rectifiers(named(&[6])), [None, plain, None, clipped, None, None, None]);
        assert_eq!(rectifiers(named(&[6, 1])), [None, None, None, clipped, None, None, None]);
        // Layers of one name are one layer, which may be applied elsewhere to something else.
        assert_eq!(rectifiers(graph(&layers, &[6])), [None; 7]);
    }

    #[test]
    fn nothing_is_done_in_another_order() {
        let relu = Layer::Conv2D(Conv2D::new(4, [1, 1]).activation(Activation::Relu));
        let dropout = Layer::Dropout(Dropout::new(0.5));
        let layers = [INPUT, (relu, &[0][..]), (dropout, &[1]), (NORM, &[2]), (CONV, &[3]), (ADD, &[4, 0]), (NORM, &[5])];
        let expected = [stage([1, 2], None, None, Activation::Relu), stage([4, 5], None, Some(0), Activation::Linear)];
        assert_eq!(fused(graph(&layers, &[6])), expected);
        let leaky = Layer::ReLU(ReLU::new().negative_slope(0.1));
        assert_eq!(fused(graph(&[INPUT, (CONV, &[0][..]), (leaky, &[1])], &[2])), []);
    }
}
