//! `GlobalAveragePooling1D`: the mean of each channel.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The mean of each channel: `N, W, C` to `N, C`, or `N, 1, C` with `keepdims`.
#[derive(Clone, Debug)]
pub struct GlobalAveragePooling1D {
    spec: spec::layers::GlobalAveragePooling1D,
}

impl GlobalAveragePooling1D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::GlobalAveragePooling1D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Pools `xs`, `N, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of sequences of at least one cell.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let pooled = kernels::global_avg_pool::<1>(spec::layers::GlobalAveragePooling1D::NAME, xs)?;
        if self.spec.keepdims { pooled.unsqueeze(1) } else { Ok(pooled) }
    }
}
