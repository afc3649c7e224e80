//! `Add`: tensors added element by element.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The sum of tensors of one shape.
#[derive(Clone, Debug)]
pub struct Add;

impl Add {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Add, _inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Adds `xs`, each `N, …` of one shape.
    ///
    /// # Errors
    /// If their shapes differ; none is broadcast.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        kernels::add(xs)
    }
}
