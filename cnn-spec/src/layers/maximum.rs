//! `Maximum`: the largest of tensors, element by element.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, merge};

layer! {
    /// The largest of tensors of one shape, as Keras' `Maximum` but without broadcasting.
    Maximum "maximum" {
        ;
    }
}

impl Maximum {
    /// Any shape to the same shape.
    ///
    /// # Errors
    /// If there are fewer than two tensors, or tensors of different shapes.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        merge::elementwise(Self::NAME, inputs)
    }
}
