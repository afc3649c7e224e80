//! `GaussianNoise`: normal noise added while training.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// While training, adds to each element a normal random number of mean 0, as Keras' `GaussianNoise`; otherwise changes
    /// nothing.
    GaussianNoise "gaussian_noise" {
        /// The standard deviation of the noise, from 0 to 1.
        stddev: f64,
        ;
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl GaussianNoise {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the standard deviation is not from 0 to 1.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        match rules::within("stddev", self.stddev, [0.0, 1.0], "from 0 to 1", "0.1") {
            Ok(()) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}
