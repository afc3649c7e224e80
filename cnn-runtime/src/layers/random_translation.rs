//! `RandomTranslation`: images shifted at random.

use crate::kernels::{Map, Sampling};
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Images shifted at random while training: `N, H, W, C` to the same shape.
#[derive(Clone, Debug)]
pub struct RandomTranslation {
    spec: spec::layers::RandomTranslation,
    name: String,
}

impl RandomTranslation {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomTranslation, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Shifts each image of `xs`, `N, H, W, C`, when the pass trains.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        let (batch, height, width, _) = xs.dims4()?;
        let mut map = || {
            let down = layers::draw(self.spec.height_factor, &mut random) * height as f64;
            let right = layers::draw(self.spec.width_factor, &mut random) * width as f64;
            Map::offset(-right, -down)
        };
        let sampling =
            Sampling { interpolation: self.spec.interpolation, fill_mode: self.spec.fill_mode, fill_value: self.spec.fill_value };
        let maps = (0..batch).map(|_| map()).collect();
        kernels::warp(spec::layers::RandomTranslation::NAME, xs, maps, [height, width], sampling)
    }
}
