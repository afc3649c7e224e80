//! `Conv2D`: a learned filter bank slid over an image.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// A 2-D convolution: `N, H, W, C` to `N, H', W', filters`.
#[derive(Clone, Debug)]
pub struct Conv2D {
    /// The kernel, `filters, C / groups, height, width`.
    pub weight: Tensor,
    /// One value for each filter, if the layer has a bias.
    pub bias: Option<Tensor>,
    spec: spec::Conv2D,
}

impl Conv2D {
    /// The layer for an image of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not fit the image, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::Conv2D, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let mut tensors = layers::tensors(&inferred, weights)?;
        Ok(Self { weight: tensors.remove(0), bias: tensors.pop(), spec })
    }

    /// Convolves `xs`, `N, H, W, C`, adds the bias and applies the activation.
    ///
    /// # Errors
    /// If `xs` is not such a batch, or the kernel does not fit it.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let activation = layers::closing(self.spec.activation, cx);
        let (weight, bias) = (cx.parameter(&self.weight), self.bias.as_ref().map(|bias| cx.parameter(bias)));
        let ys = kernels::conv(xs, &weight, bias.as_ref(), &self.spec.convolution(), activation)?;
        layers::regularized(ys, self.spec.activity_regularizer, self.spec.activation, cx)
    }
}
