//! `Multiply`: tensors multiplied element by element.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The product of tensors of one shape.
#[derive(Clone, Debug)]
pub struct Multiply;

impl Multiply {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Multiply, _inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Multiplies `xs`, each `N, …` of one shape.
    ///
    /// # Errors
    /// If their shapes differ; none is broadcast.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        kernels::multiply(xs)
    }
}
