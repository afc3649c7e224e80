//! `ELU`: a rectifier that is smooth below 0.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// The exponential linear unit (Clevert et al., 2015), as Keras' `ELU`: `x` if positive, else `alpha·(eˣ − 1)`.
    ELU "elu" {
        ;
        /// The value far below 0, with a minus sign.
        alpha: f64 = 1.0,
    }
}

impl ELU {
    /// The shape of its input.
    ///
    /// # Errors
    /// If `alpha` is not finite.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        match rules::within("alpha", self.alpha, [-f64::MAX, f64::MAX], "a number", "1.0") {
            Ok(()) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}
