//! `Conv1DTranspose`: a learned filter bank that spreads each cell of a sequence over a larger one.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// A 1-D transposed convolution: `N, L, C` to `N, L', filters`.
#[derive(Clone, Debug)]
pub struct Conv1DTranspose {
    /// The kernel, `C, filters, length`.
    pub weight: Tensor,
    /// One value for each filter, if the layer has a bias.
    pub bias: Option<Tensor>,
    spec: spec::Conv1DTranspose,
}

impl Conv1DTranspose {
    /// The layer for a sequence of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not fit the sequence, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::Conv1DTranspose, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let mut tensors = layers::tensors(&inferred, weights)?;
        Ok(Self { weight: tensors.remove(0), bias: tensors.pop(), spec })
    }

    /// Spreads `xs`, `N, L, C`, adds the bias and applies the activation.
    ///
    /// # Errors
    /// If `xs` is not such a batch, or the padding leaves nothing of it.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let activation = layers::closing(self.spec.activation, cx);
        let (weight, bias) = (cx.parameter(&self.weight), self.bias.as_ref().map(|bias| cx.parameter(bias)));
        let ys = kernels::conv_transpose(xs, &weight, bias.as_ref(), &self.spec.convolution(), activation)?;
        layers::regularized(ys, self.spec.activity_regularizer, self.spec.activation, cx)
    }
}
