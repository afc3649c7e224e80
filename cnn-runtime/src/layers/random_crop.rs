//! `RandomCrop`: another part of an image every time.

use crate::kernels::{Map, Sampling};
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use rand::RngExt;

/// A part of each image: `N, H, W, C` to `N, height, width, C`; at random while training, else the middle.
#[derive(Clone, Debug)]
pub struct RandomCrop {
    spec: spec::layers::RandomCrop,
    name: String,
}

impl RandomCrop {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomCrop, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Crops `xs`, `N, H, W, C`; images too small are first made larger.
    ///
    /// # Errors
    /// If `xs` is not a batch of images of at least one pixel.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let (name, size) = (spec::layers::RandomCrop::NAME, [self.spec.height, self.spec.width]);
        let (batch, height, width, _) = xs.dims4()?;
        let fits = height >= size[0] && width >= size[1];
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx).filter(|_| fits) else {
            return layers::center_crop(name, xs, size);
        };
        let mut offset = || {
            let (y, x) = (random.random_range(0..=height - size[0]), random.random_range(0..=width - size[1]));
            Map::offset(x as f64, y as f64)
        };
        kernels::warp(name, xs, (0..batch).map(|_| offset()).collect(), size, Sampling::EXACT)
    }
}
