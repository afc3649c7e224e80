//! `PReLU`: a rectifier whose slope below 0 is learned.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// The parametric rectifier, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct PReLU {
    /// The slope below 0 of each value of an example; of size 1 along the axes that share it.
    pub weight: Tensor,
}

impl PReLU {
    /// The layer for tensors of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::PReLU, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        Ok(Self { weight: layers::tensors(&inferred, weights)?.remove(0) })
    }

    /// Rectifies `xs`.
    ///
    /// # Errors
    /// If `xs` has other sizes along the axes that share no weight.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        kernels::prelu(xs, &cx.parameter(&self.weight))
    }
}
