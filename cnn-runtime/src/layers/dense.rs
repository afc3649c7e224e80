//! `Dense`: every output weighs every input.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// A fully connected layer: `N, F` to `N, units`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// The weights, `units, F`.
    pub weight: Tensor,
    /// One value for each unit, if the layer has a bias.
    pub bias: Option<Tensor>,
    spec: spec::Dense,
}

impl Dense {
    /// The layer for vectors of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::Dense, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let mut tensors = layers::tensors(&inferred, weights)?;
        Ok(Self { weight: tensors.remove(0), bias: tensors.pop(), spec })
    }

    /// Weighs `xs`, `N, F`, adds the bias and applies the activation.
    ///
    /// # Errors
    /// If `xs` is not such a batch.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let activation = layers::closing(self.spec.activation, cx);
        let (weight, bias) = (cx.parameter(&self.weight), self.bias.as_ref().map(|bias| cx.parameter(bias)));
        let ys = kernels::dense(xs, &weight, bias.as_ref(), activation)?;
        layers::regularized(ys, self.spec.activity_regularizer, self.spec.activation, cx)
    }
}
