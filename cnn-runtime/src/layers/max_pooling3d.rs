//! `MaxPooling3D`: the largest value of each window.

use crate::kernels::Pooling;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The largest value of each window: `N, D, H, W, C` to `N, D', H', W', C`.
#[derive(Clone, Debug)]
pub struct MaxPooling3D {
    spec: spec::layers::MaxPooling3D,
}

impl MaxPooling3D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::MaxPooling3D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, D, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of volumes the layer takes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::pool(spec::layers::MaxPooling3D::NAME, xs, Pooling::Max, &self.spec.window())
    }
}
