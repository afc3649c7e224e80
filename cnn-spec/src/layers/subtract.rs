//! `Subtract`: the difference of two tensors, element by element.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, merge};

layer! {
    /// The first of two tensors of one shape less the second, as Keras' `Subtract` but without broadcasting.
    Subtract "subtract" {
        ;
    }
}

impl Subtract {
    /// Any shape to the same shape.
    ///
    /// # Errors
    /// If there are other than two tensors, or tensors of different shapes.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match merge::two(Self::NAME, "Subtract()", inputs) {
            Ok(()) => merge::elementwise(Self::NAME, inputs),
            Err(error) => Err(error),
        }
    }
}
