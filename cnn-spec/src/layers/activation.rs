//! `Activation`: an activation function as a layer of its own.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// An activation function as a layer, as Keras' `Activation("relu")`.
    Activation "activation" {
        /// The function.
        activation: crate::activation::Activation,
        ;
    }
}

impl Activation {
    /// The shape of its input.
    ///
    /// # Errors
    /// If it is not applied to exactly one tensor.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match rules::one(Self::NAME, inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape).ends_in(self.activation)),
            Err(error) => Err(error),
        }
    }
}
