//! `UnitNormalization`: the values along an axis are given norm 1.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Unit normalisation, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct UnitNormalization {
    /// Which axes of an example are normalised together.
    axes: Vec<bool>,
}

impl UnitNormalization {
    /// The layer for tensors of shape `input`; it has no tensors.
    ///
    /// # Errors
    /// If the layer does not take that shape.
    pub fn build(spec: spec::UnitNormalization, input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { axes: layers::among(&spec.axis, &Operand::new("input", input))? })
    }

    /// Normalises `xs`.
    ///
    /// # Errors
    /// If `xs` has other axes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        layers::along(spec::UnitNormalization::NAME, xs, &self.axes, kernels::unit_norm)
    }
}
