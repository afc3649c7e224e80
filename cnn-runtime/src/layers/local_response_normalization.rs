//! `LocalResponseNormalization`: channels that are strong together are damped, as in AlexNet.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// Local response normalisation along the last axis, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct LocalResponseNormalization {
    spec: spec::layers::LocalResponseNormalization,
}

impl LocalResponseNormalization {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::LocalResponseNormalization, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Damps `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::local_response_norm(xs, &self.spec)
    }
}
