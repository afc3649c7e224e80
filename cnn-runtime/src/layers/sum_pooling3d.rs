//! `SumPooling3D`: the sum of each window.

use crate::kernels::Pooling;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The sum of each window: `N, D, H, W, C` to `N, D', H', W', C`.
#[derive(Clone, Debug)]
pub struct SumPooling3D {
    spec: spec::layers::SumPooling3D,
}

impl SumPooling3D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::SumPooling3D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, D, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of volumes the layer takes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::pool(spec::layers::SumPooling3D::NAME, xs, Pooling::Sum, &self.spec.window())
    }
}
