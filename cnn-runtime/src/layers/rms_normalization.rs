//! `RMSNormalization`: the values along an axis are given a mean square of 1.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Root-mean-square normalisation, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct RMSNormalization {
    /// What each value along the axes is multiplied by: Keras' scale.
    pub weight: Tensor,
    /// Which axes of an example are normalised together.
    axes: Vec<bool>,
    spec: spec::RMSNormalization,
}

impl RMSNormalization {
    /// The layer for tensors of shape `input`, with a tensor from `weights`.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::RMSNormalization, input: Shape, weights: &Weights) -> Result<Self> {
        let input = Operand::new("input", input);
        let inferred = spec.infer(&[input]).map_err(candle_core::Error::wrap)?;
        let weight = layers::tensors(&inferred, weights)?.remove(0);
        Ok(Self { weight, axes: layers::among(&spec.axis, &input)?, spec })
    }

    /// Normalises `xs`.
    ///
    /// # Errors
    /// If `xs` has other sizes along the axes.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let (name, weight) = (spec::RMSNormalization::NAME, cx.parameter(&self.weight).flatten_all()?);
        layers::along(name, xs, &self.axes, |xs, length| match weight.elem_count() == length {
            true => kernels::rms_norm(xs, &weight, self.spec.epsilon),
            false => candle_core::bail!("`{name}` has {} weights for {length} values each", weight.elem_count()),
        })
    }
}
