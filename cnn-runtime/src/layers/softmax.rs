//! `Softmax`: values become probabilities.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// `softmax` along the last axis, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Softmax;

impl Softmax {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Softmax, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Normalises `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        kernels::activate(xs, layers::closing(spec::Activation::Softmax, cx))
    }
}
