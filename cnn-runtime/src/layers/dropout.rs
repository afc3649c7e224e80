//! `Dropout`: units left out at random while training.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Inverted dropout, of any shape to the same shape; the identity unless the pass trains.
#[derive(Clone, Debug)]
pub struct Dropout {
    spec: spec::Dropout,
    name: String,
}

impl Dropout {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::Dropout, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Drops elements of `xs` and scales the rest, when the pass trains.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let Some(random) = layers::random(&self.name, self.spec.seed, cx) else {
            return Ok(xs.clone());
        };
        match self.spec.noise_shape {
            None => kernels::dropout(xs, self.spec.rate, random),
            noise => kernels::dropout_together(xs, self.spec.rate, &layers::mask(noise, xs), random),
        }
    }
}
