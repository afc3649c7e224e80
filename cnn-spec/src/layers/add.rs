//! `Add`: tensors added element by element.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, merge};

layer! {
    /// The sum of tensors of one shape, as Keras' `Add` but without broadcasting.
    Add "add" {
        ;
    }
}

impl Add {
    /// Any shape to the same shape.
    ///
    /// # Errors
    /// If there are fewer than two tensors, or tensors of different shapes.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        merge::elementwise(Self::NAME, inputs)
    }
}
