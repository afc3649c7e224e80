//! `Maximum`: the largest of tensors, element by element.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The largest of tensors of one shape, element by element.
#[derive(Clone, Debug)]
pub struct Maximum;

impl Maximum {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Maximum, _inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Takes the maximum of `xs`, each `N, …` of one shape.
    ///
    /// # Errors
    /// If their shapes differ; none is broadcast.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        kernels::maximum(xs)
    }
}
