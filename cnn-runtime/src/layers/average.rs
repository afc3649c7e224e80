//! `Average`: the mean of tensors, element by element.

use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The mean of tensors of one shape.
#[derive(Clone, Debug)]
pub struct Average;

impl Average {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Average, _inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Averages `xs`, each `N, …` of one shape.
    ///
    /// # Errors
    /// If their shapes differ; none is broadcast.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        kernels::average(xs)
    }
}
