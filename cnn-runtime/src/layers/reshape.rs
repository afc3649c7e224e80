//! `Reshape`: the same elements in another shape.

use crate::spec::{self, Shape};
use crate::{Context, Weights, layers};
use candle_core::{Result, Tensor};

/// The elements of each example in another shape: `N, …` to `N, target_shape`.
#[derive(Clone, Debug)]
pub struct Reshape {
    spec: spec::layers::Reshape,
}

impl Reshape {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Reshape, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Reshapes `xs` without moving a value.
    ///
    /// # Errors
    /// If the examples of `xs` have not as many elements as the target.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let output = layers::output(|operand| self.spec.infer(operand), xs)?;
        xs.reshape([&xs.dims()[..1], &output].concat())
    }
}
