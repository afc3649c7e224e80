//! `GlobalAveragePooling2D`: the mean of each channel.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The mean of each channel: `N, H, W, C` to `N, C`, or `N, 1, 1, C` with `keepdims`.
#[derive(Clone, Debug)]
pub struct GlobalAveragePooling2D {
    spec: spec::layers::GlobalAveragePooling2D,
}

impl GlobalAveragePooling2D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::GlobalAveragePooling2D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of images of at least one cell.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let pooled = kernels::global_avg_pool::<2>(spec::layers::GlobalAveragePooling2D::NAME, xs)?;
        if self.spec.keepdims { pooled.unsqueeze(1)?.unsqueeze(1) } else { Ok(pooled) }
    }
}
