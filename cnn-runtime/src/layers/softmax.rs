//! `Softmax`: values become probabilities.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// `softmax` along one axis, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Softmax {
    /// The axis, the batch counted, unless it is the last.
    axis: Option<usize>,
}

impl Softmax {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// If an example has no such axis.
    pub fn build(spec: spec::layers::Softmax, input: Shape, _weights: &Weights) -> Result<Self> {
        let place = spec.place(&Operand::new("input", input)).map_err(candle_core::Error::wrap)?;
        Ok(Self { axis: (place + 1 < input.rank()).then_some(place + 1) })
    }

    /// Normalises `xs`.
    ///
    /// # Errors
    /// If the tensor's type is not a float.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        match self.axis {
            Some(axis) => kernels::softmax(xs, axis),
            None => kernels::activate(xs, layers::closing(spec::Activation::Softmax, cx)),
        }
    }
}
