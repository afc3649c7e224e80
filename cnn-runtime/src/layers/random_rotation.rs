//! `RandomRotation`: images turned at random.

use crate::kernels::{Map, Sampling};
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::f64::consts::TAU;

/// Images turned at random while training: `N, H, W, C` to the same shape.
#[derive(Clone, Debug)]
pub struct RandomRotation {
    spec: spec::layers::RandomRotation,
    name: String,
}

impl RandomRotation {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomRotation, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Turns each image of `xs`, `N, H, W, C`, when the pass trains.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        let (batch, height, width, _) = xs.dims4()?;
        let mut map = || {
            let (sin, cos) = (TAU * layers::draw(self.spec.factor, &mut random)).sin_cos();
            Map::about_centre([height, width], [[cos, -sin], [sin, cos]])
        };
        let sampling =
            Sampling { interpolation: self.spec.interpolation, fill_mode: self.spec.fill_mode, fill_value: self.spec.fill_value };
        let maps = (0..batch).map(|_| map()).collect();
        kernels::warp(spec::layers::RandomRotation::NAME, xs, maps, [height, width], sampling)
    }
}
