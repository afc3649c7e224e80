//! `Resizing`: an image of any size becomes one of a given size.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Images sampled anew: `N, H, W, C` to `N, height, width, C`.
#[derive(Clone, Debug)]
pub struct Resizing {
    spec: spec::layers::Resizing,
}

impl Resizing {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Resizing, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Resizes `xs`, `N, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of images of at least one pixel.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::Resizing::NAME;
        let (input, output) = (layers::spatial::<2>(name, xs)?, [self.spec.height, self.spec.width]);
        if input.contains(&0) {
            candle_core::bail!("`{name}` takes images of at least one pixel, found {:?}", xs.dims());
        }
        let parts = match self.spec.crop_to_aspect_ratio {
            true => layers::proportional(input, output),
            false => input.map(|n| (0, n)),
        };
        let spec::layers::Resizing { interpolation, antialias, .. } = self.spec;
        let taps = from_fn(|axis| Taps::resize(parts[axis].0, parts[axis].1, output[axis], interpolation, antialias));
        kernels::resample::<2>(name, xs, taps)
    }
}
