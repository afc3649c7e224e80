//! `LayerNormalization`: the last axes of every example are given mean 0 and variance 1.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Layer normalisation of the last axes, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct LayerNormalization {
    /// What each value along the axes is multiplied by, if anything: Keras' gamma.
    pub weight: Option<Tensor>,
    /// What is added to each value along the axes, if anything: Keras' beta.
    pub bias: Option<Tensor>,
    /// How many axes are normalised together.
    axes: usize,
    spec: spec::LayerNormalization,
}

impl LayerNormalization {
    /// The layer for tensors of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::LayerNormalization, input: Shape, weights: &Weights) -> Result<Self> {
        let input = Operand::new("input", input);
        let inferred = spec.infer(&[input]).map_err(candle_core::Error::wrap)?;
        let (weight, bias) = layers::affine(&inferred, weights)?;
        let axes = spec.count(&input).map_err(candle_core::Error::wrap)?;
        Ok(Self { weight, bias, axes, spec })
    }

    /// Normalises `xs`.
    ///
    /// # Errors
    /// If `xs` has other sizes along the axes.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let values = xs.dims()[xs.rank().saturating_sub(self.axes)..].iter().product();
        let (weight, bias) = layers::scale_and_shift(self.weight.as_ref(), self.bias.as_ref(), values, xs, cx)?;
        if weight.elem_count() != values {
            candle_core::bail!("`LayerNormalization` has {} weights for a batch {:?}", weight.elem_count(), xs.dims());
        }
        kernels::layer_norm(xs, &weight, bias.as_ref(), self.spec.epsilon)
    }
}
