//! `Concatenate`: tensors side by side along one axis.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// Tensors one after the other along an axis: `N, H, W, C₁` and `N, H, W, C₂` to `N, H, W, C₁ + C₂`.
#[derive(Clone, Debug)]
pub struct Concatenate {
    /// The axis that grows, the batch being 0.
    axis: usize,
}

impl Concatenate {
    /// The layer for tensors of these shapes; it has no tensors of its own.
    ///
    /// # Errors
    /// If the shapes have no such axis.
    pub fn build(spec: spec::layers::Concatenate, inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        let first = inputs.first().copied().unwrap_or(Shape::new([]));
        let place = spec.place(&Operand::new("input", first)).map_err(candle_core::Error::wrap)?;
        Ok(Self { axis: place + 1 })
    }

    /// Puts `xs` one after the other.
    ///
    /// # Errors
    /// If they differ along another axis.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        kernels::concatenate(xs, self.axis)
    }
}
