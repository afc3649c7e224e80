//! `AveragePooling2D`: the mean of each window.

use crate::kernels::Pooling;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The mean of each window: `N, H, W, C` to `N, H', W', C`.
#[derive(Clone, Debug)]
pub struct AveragePooling2D {
    spec: spec::layers::AveragePooling2D,
}

impl AveragePooling2D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::AveragePooling2D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of images the layer takes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        kernels::pool(spec::layers::AveragePooling2D::NAME, xs, Pooling::Mean, &self.spec.window())
    }
}
