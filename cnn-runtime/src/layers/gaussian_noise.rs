//! `GaussianNoise`: normal noise added while training.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Normal noise, of any shape to the same shape; the identity unless the pass trains.
#[derive(Clone, Debug)]
pub struct GaussianNoise {
    spec: spec::GaussianNoise,
    name: String,
}

impl GaussianNoise {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::GaussianNoise, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Adds noise to `xs`, when the pass trains.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        match layers::random(&self.name, self.spec.seed, cx) {
            Some(random) => kernels::gaussian_noise(xs, self.spec.stddev, random),
            None => Ok(xs.clone()),
        }
    }
}
