//! `RandomErasing`: a rectangle of each image blotted out at random.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
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
        let (batch, height, width, channels) = xs.dims4()?;
        let mut erased = vec![0u8; xs.elem_count()];
        let mut values = vec![0.0; xs.elem_count()];
        for image in 0..batch {
            if !random.random_bool(self.spec.factor) {
                continue;
            }
            let [rows, columns] = [height, width].map(|n| self.range(n, &mut random));
            for y in rows {
                let start = ((image * height + y) * width + columns.start) * channels;
                let place = start..start + columns.len() * channels;
                erased[place.clone()].fill(1);
                values[place].fill_with(|| self.fill(&mut random));
            }
        }
        let erased = Tensor::from_vec(erased, xs.shape(), xs.device())?;
        erased.where_cond(&Tensor::from_vec(values, xs.shape(), xs.device())?.to_dtype(xs.dtype())?, xs)
    }

    /// The rows or columns of a rectangle on an axis of `n` cells.
    fn range(&self, n: usize, random: &mut ChaCha8Rng) -> Range<usize> {
        let len = layers::draw(self.spec.scale, random).sqrt() * n as f64;
        let start = layers::draw([0.0, 1.0], random) * (n as f64 - len);
        let cell = |at: f64| (at.ceil() as usize).min(n);
        cell(start)..cell(start + len)
    }

    /// What stands in one cell of a rectangle.
    fn fill(&self, random: &mut ChaCha8Rng) -> f64 {
        let [low, high] = self.spec.value_range;
        let noise = |random: &mut ChaCha8Rng| high * Distribution::<f64>::sample(&StandardNormal, random);
        self.spec.fill_value.unwrap_or_else(|| noise(random)).clamp(low, high)
    }
}
