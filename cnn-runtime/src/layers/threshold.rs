//! `Threshold`: one value for all that is not above a threshold.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// A threshold, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Threshold {
    spec: spec::layers::Threshold,
}

impl Threshold {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Threshold, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Lets pass what of `xs` is above the threshold.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::threshold(xs, self.spec.threshold, self.spec.value)
    }
}
