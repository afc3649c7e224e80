//! `LeakyReLU`: a rectifier with a small slope below 0.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// `x` if positive, else `negative_slope·x`, as Keras' `LeakyReLU`. The word `leaky_relu` has a slope of 0.2.
    LeakyReLU "leaky_relu" {
        ;
        /// The slope below 0.
        negative_slope: f64 = 0.3,
    }
}

impl LeakyReLU {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the slope is negative.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        match rules::within("negative_slope", self.negative_slope, [0.0, f64::MAX], "0 or more", "0.3") {
            Ok(()) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}
