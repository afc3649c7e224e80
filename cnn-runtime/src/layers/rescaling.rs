//! `Rescaling`: all values times one number, plus another.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// `scale·x + offset`, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Rescaling {
    spec: spec::layers::Rescaling,
}

impl Rescaling {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Rescaling, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Rescales `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::affine(xs, self.spec.scale, self.spec.offset)
    }
}
