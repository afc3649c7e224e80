//! `Identity`: a layer that changes nothing.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// Any tensor as it is, as Keras' `Identity`: a place that a summary can name.
    Identity "identity" {
        ;
    }
}

impl Identity {
    /// The shape of its input.
    ///
    /// # Errors
    /// If it is not applied to exactly one tensor.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match rules::one(Self::NAME, inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}
