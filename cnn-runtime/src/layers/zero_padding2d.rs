//! `ZeroPadding2D`: zeros around an image.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Zeros around each channel: `N, H, W, C` to `N, H', W', C`.
#[derive(Clone, Debug)]
pub struct ZeroPadding2D {
    spec: spec::layers::ZeroPadding2D,
}

impl ZeroPadding2D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::ZeroPadding2D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pads `xs`, `N, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::ZeroPadding2D::NAME;
        let sizes = layers::spatial::<2>(name, xs)?;
        let taps = from_fn(|axis| {
            let [before, after] = self.spec.padding[axis];
            Taps::part(sizes[axis], -(before as isize), sizes[axis] + before + after)
        });
        kernels::resample::<2>(name, xs, taps)
    }
}
