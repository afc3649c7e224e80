//! `ELU`: a rectifier that is smooth below 0.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The exponential linear unit, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct ELU {
    spec: spec::layers::ELU,
}

impl ELU {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::ELU, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Rectifies `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::elu(xs, self.spec.alpha)
    }
}
