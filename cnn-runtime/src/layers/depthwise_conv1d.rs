//! `DepthwiseConv1D`: learned filters for each channel of a sequence alone.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// A 1-D depthwise convolution: `N, L, C` to `N, L', C·depth_multiplier`.
#[derive(Clone, Debug)]
pub struct DepthwiseConv1D {
    /// The kernels, `C·depth_multiplier, 1, length`, those of one channel side by side.
    pub weight: Tensor,
    /// One value for each feature map, if the layer has a bias.
    pub bias: Option<Tensor>,
    spec: spec::DepthwiseConv1D,
}

impl DepthwiseConv1D {
    /// The layer for a sequence of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not fit the sequence, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::DepthwiseConv1D, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let mut tensors = layers::tensors(&inferred, weights)?;
        Ok(Self { weight: tensors.remove(0), bias: tensors.pop(), spec })
    }

    /// Convolves `xs`, `N, L, C`, adds the bias and applies the activation.
    ///
    /// # Errors
    /// If `xs` is not such a batch, or the kernel does not fit it.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let activation = layers::closing(self.spec.activation, cx);
        let (weight, bias) = (cx.parameter(&self.weight), self.bias.as_ref().map(|bias| cx.parameter(bias)));
        let ys = kernels::depthwise_conv(xs, &weight, bias.as_ref(), &self.spec.convolution(), activation)?;
        layers::regularized(ys, self.spec.activity_regularizer, self.spec.activation, cx)
    }
}
