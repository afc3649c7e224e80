//! `AdaptiveMaxPooling3D`: the maximum of as many windows as the output is to have.

use crate::kernels::Pooling;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The maximum of as many windows as the output is to have: `N, D, H, W, C` to `N, D', H', W', C`.
#[derive(Clone, Debug)]
pub struct AdaptiveMaxPooling3D {
    spec: spec::layers::AdaptiveMaxPooling3D,
}

impl AdaptiveMaxPooling3D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::AdaptiveMaxPooling3D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, D, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of volumes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::adaptive_pool(spec::layers::AdaptiveMaxPooling3D::NAME, xs, Pooling::Max, self.spec.output_size)
    }
}
