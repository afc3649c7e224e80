//! `Dot`: the dot products of the vectors of two tensors.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// Products of vectors along an axis of two tensors: `N, A, K` and `N, B, K` to `N, A, B`.
#[derive(Clone, Debug)]
pub struct Dot {
    /// The axis of each tensor that is summed over, the batch being 0.
    axes: [usize; 2],
    normalize: bool,
}

impl Dot {
    /// The layer for tensors of these shapes; it has no tensors of its own.
    ///
    /// # Errors
    /// If there are other than two shapes, or they have no such axes.
    pub fn build(spec: spec::layers::Dot, inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        let operands: Vec<Operand> = inputs.iter().map(|shape| Operand::new("input", *shape)).collect();
        let places = spec.places(&operands).map_err(candle_core::Error::wrap)?;
        Ok(Self { axes: places.map(|place| place + 1), normalize: spec.normalize })
    }

    /// The dot products of two tensors: the axes of the first but its own, then those of the second; of vectors `N, 1`.
    ///
    /// # Errors
    /// If there are other than two, their batches differ, or the axes that are summed over differ in size.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        kernels::dot(xs, self.axes, self.normalize)
    }
}
