//! `ReLU`: the rectifier as a layer, with its limits.

use crate::spec::{self, Graph, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The rectified linear unit with Keras' limits, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct ReLU {
    spec: spec::layers::ReLU,
    /// Whether the layer before this one has rectified, in a pass of `fit` over the whole network.
    is_done_before: bool,
}

impl ReLU {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::ReLU, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec, is_done_before: false })
    }

    /// The same layer, which knows whether the one before it rectifies in a pass of `fit`.
    pub(super) fn after_what_rectifies(self, graph: &Graph, index: usize) -> Self {
        let before = graph.nodes[index].inputs.first();
        Self {
            is_done_before: before.and_then(|before| graph.rectifier(*before)).is_some_and(|(rectifier, _)| rectifier == index),
            ..self
        }
    }

    /// Rectifies `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        match self.is_done_before && kernels::is_recording(xs.device()) {
            true => Ok(xs.clone()),
            false => kernels::relu(xs, &self.spec),
        }
    }
}
