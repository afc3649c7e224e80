//! `Dropout`: units left out at random while training.

use crate::layer::layer;
use crate::{At, Inferred, Operand, ShapeError, Text, rules};

layer! {
    /// While training, sets each element to 0 with probability `rate` and scales the others by `1/(1 − rate)`; otherwise
    /// changes nothing (Srivastava et al., 2014).
    Dropout "dropout" {
        /// The share of elements left out, from 0 to below 1.
        rate: f64,
        ;
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl Dropout {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the rate is not at least 0 and below 1.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if self.rate >= 0.0 && self.rate < 1.0 {
            return Ok(Inferred::shape(input.shape));
        }
        let message = Text::from("a dropout rate is at least 0 and below 1");
        let help = if self.rate > 1.0 && self.rate < 100.0 {
            Text::from("the rate is a share, not a percentage: use a value such as `0.2`")
        } else {
            Text::from("use a value such as `0.2`")
        };
        Err(ShapeError::new(At::Argument("rate"), message).help(help))
    }
}
