//! `RandomZoom`: images made smaller or larger at random.

use crate::kernels::{Map, Sampling};
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Images made smaller or larger at random while training: `N, H, W, C` to the same shape.
#[derive(Clone, Debug)]
pub struct RandomZoom {
    spec: spec::layers::RandomZoom,
    name: String,
}

impl RandomZoom {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomZoom, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Zooms each image of `xs`, `N, H, W, C`, when the pass trains.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        let (batch, height, width, _) = xs.dims4()?;
        let mut map = || {
            let down = 1.0 + layers::draw(self.spec.height_factor, &mut random);
            let across = self.spec.width_factor.map_or(down, |factor| 1.0 + layers::draw(factor, &mut random));
            Map::about_centre([height, width], [[across, 0.0], [0.0, down]])
        };
        let sampling =
            Sampling { interpolation: self.spec.interpolation, fill_mode: self.spec.fill_mode, fill_value: self.spec.fill_value };
        let maps = (0..batch).map(|_| map()).collect();
        kernels::warp(spec::layers::RandomZoom::NAME, xs, maps, [height, width], sampling)
    }
}
