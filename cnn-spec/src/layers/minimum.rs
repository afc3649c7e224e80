//! `Minimum`: the smallest of tensors, element by element.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, merge};

layer! {
    /// The smallest of tensors of one shape, as Keras' `Minimum` but without broadcasting.
    Minimum "minimum" {
        ;
    }
}

impl Minimum {
    /// Any shape to the same shape.
    ///
    /// # Errors
    /// If there are fewer than two tensors, or tensors of different shapes.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        merge::elementwise(Self::NAME, inputs)
    }
}
