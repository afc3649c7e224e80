//! `ActivityRegularization`: a penalty on the values that pass.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};

/// The identity on tensors of any shape, whose values add to the loss.
#[derive(Clone, Debug)]
pub struct ActivityRegularization {
    spec: spec::layers::ActivityRegularization,
}

impl ActivityRegularization {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::ActivityRegularization, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Gives `xs` as it is.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        layers::regularized(xs.clone(), self.spec.regularizer(), spec::Activation::Linear, cx)
    }
}
