//! `RandomContrast`: the contrast of images changed at random.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};

/// Images with another contrast while training: `N, H, W, C` to the same shape.
#[derive(Clone, Debug)]
pub struct RandomContrast {
    spec: spec::layers::RandomContrast,
    name: String,
}

impl RandomContrast {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomContrast, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Changes the contrast of each image of `xs`, `N, H, W, C`, when the pass trains.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        let factors: Vec<f64> = (0..xs.dims4()?.0).map(|_| 1.0 + layers::draw(self.spec.factor, &mut random)).collect();
        let factors = layers::one_for_each_image(factors, xs)?;
        let mean = xs.mean_keepdim((1, 2))?;
        let [low, high] = self.spec.value_range;
        xs.broadcast_sub(&mean)?.broadcast_mul(&factors)?.broadcast_add(&mean)?.clamp(low, high)
    }
}
