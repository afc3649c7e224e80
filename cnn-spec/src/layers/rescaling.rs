//! `Rescaling`: all values times one number, plus another.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// `scale·x + offset`, as Keras' `Rescaling`: `Rescaling(1.0 / 127.5, -1.0)` takes bytes to ±1.
    Rescaling "rescaling" {
        /// The factor.
        scale: f64,
        ;
        /// What is added to the product.
        offset: f64 = 0.0,
    }
}

impl Rescaling {
    /// The shape of its input.
    ///
    /// # Errors
    /// If it is applied to more or less than one tensor.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match rules::one(Self::NAME, inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}
