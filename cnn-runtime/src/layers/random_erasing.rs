//! `RandomErasing`: a rectangle of each image blotted out at random.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// Images without a random rectangle while training: `N, H, W, C` to the same shape.
#[derive(Clone, Debug)]
pub struct RandomErasing {
    spec: spec::layers::RandomErasing,
    name: String,
}

impl RandomErasing {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomErasing, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Erases a rectangle of each image of `xs`, `N, H, W, C`, when the pass trains.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        let (batch, height, width, _) = xs.dims4()?;
        // The numbers that rectangles are filled with are others than those that place them.
        let filling = random.clone();
        random.set_stream(u64::MAX);
        let mut rectangle = || match random.random_bool(self.spec.factor) {
            true => [height, width].map(|n| self.range(n, &mut random)),
            false => [0..0, 0..0],
        };
        let rectangles = (0..batch).map(|_| rectangle()).collect();
        kernels::erase(xs, rectangles, self.spec.fill_value, self.spec.value_range, filling)
    }

    /// The rows or columns of a rectangle on an axis of `n` cells.
    fn range(&self, n: usize, random: &mut ChaCha8Rng) -> Range<usize> {
        let len = layers::draw(self.spec.scale, random).sqrt() * n as f64;
        let start = layers::draw([0.0, 1.0], random) * (n as f64 - len);
        let cell = |at: f64| (at.ceil() as usize).min(n);
        cell(start)..cell(start + len)
    }
}
