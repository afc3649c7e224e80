//! `ZeroPadding3D`: zeros around a volume.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Zeros around each channel: `N, D, H, W, C` to `N, D', H', W', C`.
#[derive(Clone, Debug)]
pub struct ZeroPadding3D {
    spec: spec::layers::ZeroPadding3D,
}

impl ZeroPadding3D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::ZeroPadding3D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pads `xs`, `N, D, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of volumes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::ZeroPadding3D::NAME;
        let sizes = layers::spatial::<3>(name, xs)?;
        let taps = from_fn(|axis| {
            let [before, after] = self.spec.padding[axis];
            Taps::part(sizes[axis], -(before as isize), sizes[axis] + before + after)
        });
        kernels::resample::<3>(name, xs, taps)
    }
}
