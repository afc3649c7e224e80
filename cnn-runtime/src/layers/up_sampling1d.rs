//! `UpSampling1D`: a sequence made larger.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Each cell several times: `N, W, C` to `N, W', C`.
#[derive(Clone, Debug)]
pub struct UpSampling1D {
    spec: spec::layers::UpSampling1D,
}

impl UpSampling1D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::UpSampling1D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Enlarges `xs`, `N, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of sequences.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::UpSampling1D::NAME;
        let sizes = layers::spatial::<1>(name, xs)?;
        let taps = from_fn(|axis| Taps::repeat(sizes[axis], self.spec.size[axis]));
        kernels::resample::<1>(name, xs, taps)
    }
}
