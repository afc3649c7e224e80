//! `MaxPooling1D`: the largest value of each window.

use crate::kernels::Pooling;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The largest value of each window: `N, W, C` to `N, W', C`.
#[derive(Clone, Debug)]
pub struct MaxPooling1D {
    spec: spec::layers::MaxPooling1D,
}

impl MaxPooling1D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::MaxPooling1D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of sequences the layer takes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::pool(spec::layers::MaxPooling1D::NAME, xs, Pooling::Max, &self.spec.window())
    }
}
