//! `LeakyReLU`: a rectifier with a small slope below 0.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// A rectifier with a slope below 0, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct LeakyReLU {
    spec: spec::layers::LeakyReLU,
}

impl LeakyReLU {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::LeakyReLU, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Rectifies `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::leaky_relu(xs, self.spec.negative_slope)
    }
}
