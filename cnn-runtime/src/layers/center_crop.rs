//! `CenterCrop`: the middle of an image.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};

/// The middle of each image: `N, H, W, C` to `N, height, width, C`.
#[derive(Clone, Debug)]
pub struct CenterCrop {
    spec: spec::layers::CenterCrop,
}

impl CenterCrop {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::CenterCrop, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Crops `xs`, `N, H, W, C`; images too small are first made larger.
    ///
    /// # Errors
    /// If `xs` is not a batch of images of at least one pixel.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        layers::center_crop(spec::layers::CenterCrop::NAME, xs, [self.spec.height, self.spec.width])
    }
}
