//! `Permute`: the axes in another order.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};

/// The axes of each example in another order.
#[derive(Clone, Debug)]
pub struct Permute {
    spec: spec::layers::Permute,
}

impl Permute {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Permute, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Reorders the axes of `xs`.
    ///
    /// # Errors
    /// If the examples of `xs` have not as many axes as the layer orders.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        layers::output(|operand| self.spec.infer(operand), xs)?;
        let from_batch = |axis: &isize| axis.rem_euclid(xs.rank() as isize) as usize;
        let axes: Vec<usize> = std::iter::once(0).chain(self.spec.dims.as_slice().iter().map(from_batch)).collect();
        xs.permute(axes)?.contiguous()
    }
}
