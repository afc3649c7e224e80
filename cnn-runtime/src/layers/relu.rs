//! `ReLU`: the rectifier as a layer, with its limits.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The rectified linear unit with Keras' limits, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct ReLU {
    spec: spec::layers::ReLU,
}

impl ReLU {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::ReLU, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Rectifies `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::relu(xs, &self.spec)
    }
}
