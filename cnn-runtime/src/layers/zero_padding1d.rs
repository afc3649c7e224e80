//! `ZeroPadding1D`: zeros around a sequence.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Zeros around each channel: `N, W, C` to `N, W', C`.
#[derive(Clone, Debug)]
pub struct ZeroPadding1D {
    spec: spec::layers::ZeroPadding1D,
}

impl ZeroPadding1D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::ZeroPadding1D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pads `xs`, `N, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of sequences.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::ZeroPadding1D::NAME;
        let sizes = layers::spatial::<1>(name, xs)?;
        let taps = from_fn(|axis| {
            let [before, after] = self.spec.padding[axis];
            Taps::part(sizes[axis], -(before as isize), sizes[axis] + before + after)
        });
        kernels::resample::<1>(name, xs, taps)
    }
}
