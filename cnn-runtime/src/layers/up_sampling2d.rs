//! `UpSampling2D`: an image made larger.

use crate::kernels::Taps;
use crate::spec::{self, Resampling, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Each pixel several times, or those between interpolated: `N, H, W, C` to `N, H', W', C`.
#[derive(Clone, Debug)]
pub struct UpSampling2D {
    spec: spec::layers::UpSampling2D,
}

impl UpSampling2D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::UpSampling2D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Enlarges `xs`, `N, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::UpSampling2D::NAME;
        let sizes = layers::spatial::<2>(name, xs)?;
        let taps = from_fn(|axis| match self.spec.interpolation {
            Resampling::Nearest => Taps::repeat(sizes[axis], self.spec.size[axis]),
            kernel => Taps::resize(0, sizes[axis], sizes[axis] * self.spec.size[axis], kernel, false),
        });
        kernels::resample::<2>(name, xs, taps)
    }
}
