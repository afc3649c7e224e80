//! `Softmax`: values become probabilities.

use crate::layer::layer;
use crate::{Activation, Inferred, Operand, ShapeError, rules};

layer! {
    /// `e^{xᵢ} / Σ e^{xⱼ}` along the last axis, as Keras' `Softmax`.
    Softmax "softmax" {
        ;
    }
}

impl Softmax {
    /// The shape of its input.
    ///
    /// # Errors
    /// If it is not applied to exactly one tensor.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match rules::one(Self::NAME, inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape).ends_in(Activation::Softmax)),
            Err(error) => Err(error),
        }
    }
}
