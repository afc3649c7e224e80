//! `SeparableConv1D`: filters for each channel of a sequence alone, and weights that mix what they give.

use crate::spec::{self, Activation, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// A 1-D depthwise separable convolution: `N, L, C` to `N, L', filters`.
#[derive(Clone, Debug)]
pub struct SeparableConv1D {
    /// The kernels of single channels, `C·depth_multiplier, 1, length`, those of one channel side by side.
    pub depthwise_weight: Tensor,
    /// The weights that mix channels, `filters, C·depth_multiplier, 1`.
    pub pointwise_weight: Tensor,
    /// One value for each filter, if the layer has a bias.
    pub bias: Option<Tensor>,
    spec: spec::SeparableConv1D,
}

impl SeparableConv1D {
    /// The layer for a sequence of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not fit the sequence, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::SeparableConv1D, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let mut tensors = layers::tensors(&inferred, weights)?.into_iter();
        let mut next = || tensors.next().expect("a separable convolution has two weights");
        Ok(Self { depthwise_weight: next(), pointwise_weight: next(), bias: tensors.next(), spec })
    }

    /// Convolves each channel of `xs`, `N, L, C`, mixes the channels, adds the bias and applies the activation.
    ///
    /// # Errors
    /// If `xs` is not such a batch, or the kernel does not fit it.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let activation = layers::closing(self.spec.activation, cx);
        let spec::SeparableConvolution { depthwise, pointwise } = self.spec.convolution();
        let weights = [&self.depthwise_weight, &self.pointwise_weight].map(|weight| cx.parameter(weight));
        let bias = self.bias.as_ref().map(|bias| cx.parameter(bias));
        let ys = kernels::depthwise_conv(xs, &weights[0], None, &depthwise, Activation::Linear)?;
        let ys = kernels::conv(&ys, &weights[1], bias.as_ref(), &pointwise, activation)?;
        layers::regularized(ys, self.spec.activity_regularizer, self.spec.activation, cx)
    }
}
