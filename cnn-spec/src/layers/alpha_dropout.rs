//! `AlphaDropout`: dropout for networks that normalise themselves.

use super::dropout;
use crate::layer::layer;
use crate::{Inferred, Operand, Shape, ShapeError, rules};

layer! {
    /// While training, sets each element with probability `rate` to the value that `selu` has far below 0, then scales and
    /// shifts all of them so that a mean of 0 and a variance of 1 stay what they are; otherwise changes nothing (Klambauer
    /// et al., 2017). As Keras' `AlphaDropout`.
    AlphaDropout "alpha_dropout" {
        /// The share of elements left out, from 0 to below 1.
        rate: f64,
        ;
        /// Which elements go together: 1 for an axis along which they do, and `_` or the axis' size for others. The batch is
        /// not written.
        noise_shape: Option<Shape> = None,
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl AlphaDropout {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the rate is not at least 0 and below 1, or the shape of the noise is not that of the input with ones in it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match rules::one(Self::NAME, inputs) {
            Ok(input) => dropout::infer(self.rate, &self.noise_shape, input),
            Err(error) => Err(error),
        }
    }
}
