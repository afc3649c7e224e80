//! `RandomBrightness`: images made darker or brighter at random.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};

/// Images darker or brighter while training: `N, H, W, C` to the same shape.
#[derive(Clone, Debug)]
pub struct RandomBrightness {
    spec: spec::layers::RandomBrightness,
    name: String,
}

impl RandomBrightness {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RandomBrightness, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Changes the brightness of each image of `xs`, `N, H, W, C`, when the pass trains.
    ///
    /// # Errors
    /// If `xs` is not a batch of images.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(mut random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        let [low, high] = self.spec.value_range;
        let shifts = (0..xs.dims4()?.0).map(|_| (high - low) * layers::draw(self.spec.factor, &mut random)).collect();
        xs.broadcast_add(&layers::one_for_each_image(shifts, xs)?)?.clamp(low, high)
    }
}
