//! `Activation`: an activation function as a layer of its own.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// An activation function, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Activation {
    spec: spec::layers::Activation,
}

impl Activation {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Activation, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Applies the function to `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        kernels::activate(xs, layers::closing(self.spec.activation, cx))
    }
}
