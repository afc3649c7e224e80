//! `Cropping1D`: the edges of a sequence cut off.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Each channel without its edges: `N, W, C` to `N, W', C`.
#[derive(Clone, Debug)]
pub struct Cropping1D {
    spec: spec::layers::Cropping1D,
}

impl Cropping1D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Cropping1D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Crops `xs`, `N, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of sequences, or nothing would be left of them.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::Cropping1D::NAME;
        let output = layers::output(|operand| self.spec.infer(operand), xs)?;
        let sizes = layers::spatial::<1>(name, xs)?;
        let taps = from_fn(|axis| Taps::part(sizes[axis], self.spec.cropping[axis][0] as isize, output[axis]));
        kernels::resample::<1>(name, xs, taps)
    }
}
