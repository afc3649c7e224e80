//! `UpSampling3D`: a volume made larger.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Each cell several times: `N, D, H, W, C` to `N, D', H', W', C`.
#[derive(Clone, Debug)]
pub struct UpSampling3D {
    spec: spec::layers::UpSampling3D,
}

impl UpSampling3D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::UpSampling3D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Enlarges `xs`, `N, D, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of volumes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::UpSampling3D::NAME;
        let sizes = layers::spatial::<3>(name, xs)?;
        let taps = from_fn(|axis| Taps::repeat(sizes[axis], self.spec.size[axis]));
        kernels::resample::<3>(name, xs, taps)
    }
}
