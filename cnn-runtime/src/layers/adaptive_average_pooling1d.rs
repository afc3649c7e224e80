//! `AdaptiveAveragePooling1D`: the mean of as many windows as the output is to have.

use crate::kernels::Pooling;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The mean of as many windows as the output is to have: `N, W, C` to `N, W', C`.
#[derive(Clone, Debug)]
pub struct AdaptiveAveragePooling1D {
    spec: spec::layers::AdaptiveAveragePooling1D,
}

impl AdaptiveAveragePooling1D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::AdaptiveAveragePooling1D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of sequences.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::adaptive_pool(spec::layers::AdaptiveAveragePooling1D::NAME, xs, Pooling::Mean, self.spec.output_size)
    }
}
