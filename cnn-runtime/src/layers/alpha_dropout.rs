//! `AlphaDropout`: dropout for networks that normalise themselves.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Dropout to the least value of `selu`, of any shape to the same shape; the identity unless the pass trains.
#[derive(Clone, Debug)]
pub struct AlphaDropout {
    spec: spec::AlphaDropout,
    name: String,
}

impl AlphaDropout {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::AlphaDropout, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Drops elements of `xs` and restores mean and variance, when the pass trains.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        match layers::random(&self.name, self.spec.seed, cx) {
            Some(random) => kernels::alpha_dropout(xs, self.spec.rate, &layers::mask(self.spec.noise_shape, xs), random),
            None => Ok(xs.clone()),
        }
    }
}
