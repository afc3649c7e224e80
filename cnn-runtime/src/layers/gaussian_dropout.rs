//! `GaussianDropout`: elements multiplied by normal noise while training.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Multiplicative normal noise, of any shape to the same shape; the identity unless the pass trains.
#[derive(Clone, Debug)]
pub struct GaussianDropout {
    spec: spec::GaussianDropout,
    name: String,
}

impl GaussianDropout {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::GaussianDropout, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Multiplies `xs` by noise, when the pass trains.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let rate = self.spec.rate;
        match layers::random(&self.name, self.spec.seed, cx) {
            Some(random) => kernels::gaussian_dropout(xs, (rate / (1.0 - rate)).sqrt(), random),
            None => Ok(xs.clone()),
        }
    }
}
