//! `RandomFlip`: images mirrored at random.

use crate::kernels::{Map, Sampling};
use crate::spec::FlipMode;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use rand::RngExt;

/// Images mirrored at random while training: `N, H, W, C` to the same shape.
#[derive(Clone, Debug)]
pub struct RandomFlip {
    spec: spec::layers::RandomFlip,
    name: String,
}

impl RandomFlip {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomFlip, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Mirrors each image of `xs`, `N, H, W, C`, with probability 1/2, when the pass trains.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        let (batch, height, width, _) = xs.dims4()?;
        let across = self.spec.mode != FlipMode::Vertical;
        let down = self.spec.mode != FlipMode::Horizontal;
        let mut sign = |may: bool| if may && random.random_bool(0.5) { -1.0 } else { 1.0 };
        let mut map = || Map::about_centre([height, width], [[sign(across), 0.0], [0.0, sign(down)]]);
        let sampling = Sampling::EXACT;
        let maps = (0..batch).map(|_| map()).collect();
        kernels::warp(spec::layers::RandomFlip::NAME, xs, maps, [height, width], sampling)
    }
}
