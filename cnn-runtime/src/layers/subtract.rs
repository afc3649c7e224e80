//! `Subtract`: the difference of two tensors, element by element.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The first of two tensors of one shape less the second.
#[derive(Clone, Debug)]
pub struct Subtract;

impl Subtract {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Subtract, _inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Subtracts `xs`, each `N, …` of one shape.
    ///
    /// # Errors
    /// If their shapes differ; none is broadcast.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        kernels::subtract(xs)
    }
}
