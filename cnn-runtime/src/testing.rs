//! Networks and data small enough to test training with, written by hand as `model!` would.

use crate::data::Dataset;
use crate::spec::{self, Activation, Graph, Layer, Node, Shape};
use crate::{Context, Network, Seed, Weights, layers};
use candle_core::{Result, Tensor};
use rand::RngExt;

const IMAGE: Shape = Shape::new([2, 3, 2]);
const INPUT: Node = Node { name: "input", tensor: "i", layer: Layer::Input(spec::Input::new(IMAGE)), inputs: &[], shape: IMAGE };
const FLATTEN: Node =
    Node { name: "flatten", tensor: "x", layer: Layer::Flatten(spec::Flatten::new()), inputs: &[0], shape: Shape::new([12]) };

const fn dense(name: &'static str, layer: spec::Dense, inputs: &'static [usize]) -> Node {
    Node { name, tensor: "x", layer: Layer::Dense(layer), inputs, shape: Shape::new([layer.units]) }
}

/// 2×3×2 images, a hidden layer of 8 and `softmax` over 3 classes.
pub struct Tiny {
    pub input: layers::Input,
    pub flatten: layers::Flatten,
    pub dense: layers::Dense,
    pub dense_1: layers::Dense,
}

impl Network for Tiny {
    const GRAPH: Graph = Graph {
        name: "Tiny",
        nodes: &[INPUT, FLATTEN, dense("dense", Self::HIDDEN, &[1]), dense("dense_1", Self::CLASSES, &[2])],
        inputs: &[0],
        outputs: &[3],
    };

    fn build(weights: &Weights) -> Result<Self> {
        Ok(Self {
            input: layers::Input::build(spec::Input::new(IMAGE), IMAGE, &weights.pp("input"))?,
            flatten: layers::Flatten::build(spec::Flatten::new(), IMAGE, &weights.pp("flatten"))?,
            dense: layers::Dense::build(Self::HIDDEN, FLATTEN.shape, &weights.pp("dense"))?,
            dense_1: layers::Dense::build(Self::CLASSES, Shape::new([8]), &weights.pp("dense_1"))?,
        })
    }

    fn call(&self, inputs: &[Tensor], cx: &Context) -> Result<Vec<Tensor>> {
        let x = self.flatten.forward(&self.input.forward(&inputs[0], cx)?, cx)?;
        let x = self.dense.forward(&x, cx)?;
        Ok(vec![self.dense_1.forward(&x, &cx.last())?])
    }
}

impl Tiny {
    const HIDDEN: spec::Dense = spec::Dense::new(8).activation(Activation::Relu);
    const CLASSES: spec::Dense = spec::Dense::new(3).activation(Activation::Softmax);
}

/// The same images, and one layer to 3 logits.
pub struct Other {
    pub dense: layers::Dense,
}

impl Network for Other {
    const GRAPH: Graph =
        Graph { name: "Other", nodes: &[INPUT, FLATTEN, dense("dense", spec::Dense::new(3), &[1])], inputs: &[0], outputs: &[2] };

    fn build(weights: &Weights) -> Result<Self> {
        Ok(Self { dense: layers::Dense::build(spec::Dense::new(3), FLATTEN.shape, &weights.pp("dense"))? })
    }

    fn call(&self, inputs: &[Tensor], cx: &Context) -> Result<Vec<Tensor>> {
        Ok(vec![self.dense.forward(&inputs[0].flatten_from(1)?, &cx.last())?])
    }
}

/// `count` noisy images of three classes in turn, each bright in another third.
pub fn blobs(count: usize) -> Dataset {
    let mut random = Seed(11).stream("blobs", count as u64);
    let labels: Vec<u32> = (0..count as u32).map(|index| index % 3).collect();
    let pixel = |label: u32, at: u32| if at / 4 == label { 130 } else { 60 };
    let pixels: Vec<u8> = labels
        .iter()
        .flat_map(|label| (0..12).map(|at| pixel(*label, at)).collect::<Vec<u8>>())
        .map(|value| value + random.random_range(0..100))
        .collect();
    Dataset::new(pixels, [2, 3, 2], labels).expect("as many pixels as the labels need")
}
