//! `Identity`: a layer that changes nothing.

use crate::spec::{self, Shape};
use crate::{Context, Weights};
use candle_core::{Result, Tensor};

/// The identity, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Identity;

impl Identity {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Identity, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self)
    }

    /// Gives `xs` as it is.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        Ok(xs.clone())
    }
}
