//! `RepeatVector`: a vector as every step of a sequence.

use crate::spec::{self, Shape};
use crate::{Context, Weights};
use candle_core::{Result, Tensor};

/// Each vector several times: `N, F` to `N, n, F`.
#[derive(Clone, Debug)]
pub struct RepeatVector {
    spec: spec::layers::RepeatVector,
}

impl RepeatVector {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::RepeatVector, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Repeats `xs`, `N, F`.
    ///
    /// # Errors
    /// If `xs` is not a batch of vectors.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let (batch, features) = xs.dims2()?;
        xs.unsqueeze(1)?.broadcast_as((batch, self.spec.n, features))?.contiguous()
    }
}
