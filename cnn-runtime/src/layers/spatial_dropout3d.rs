//! `SpatialDropout3D`: whole feature maps of volumes left out at random while training.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};

/// Dropout of feature maps of `N, D, H, W, C`; the identity unless the pass trains.
#[derive(Clone, Debug)]
pub struct SpatialDropout3D {
    spec: spec::SpatialDropout3D,
    name: String,
}

impl SpatialDropout3D {
    /// The layer; its name picks its random numbers.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::SpatialDropout3D, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Drops feature maps of `xs` and scales the rest, when the pass trains.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        layers::spatial_dropout(xs, self.spec.rate, layers::random(&self.name, self.spec.seed, cx))
    }
}
