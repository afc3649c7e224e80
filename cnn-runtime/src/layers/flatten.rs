//! `Flatten`: an image becomes a vector.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// All elements of an example in one vector: `N, H, W, C` to `N, H·W·C`.
#[derive(Clone, Debug)]
pub struct Flatten;

impl Flatten {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Flatten, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Flattens `xs` without moving a value.
    ///
    /// # Errors
    /// If `xs` has no batch axis.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let batch = xs.dim(0)?;
        kernels::reshape(xs, &[batch, xs.elem_count() / batch.max(1)])
    }
}
