//! `ReLU`: the rectifier as a layer, with its limits.

use crate::layer::layer;
use crate::{At, Inferred, Operand, ShapeError, Text, rules};

layer! {
    /// The rectified linear unit, as Keras' `ReLU`: `x` above `threshold`, but at most `max_value`, and
    /// `negative_slope·(x − threshold)` from `threshold` down.
    ReLU "relu" {
        ;
        /// The largest output, if there is one.
        max_value: Option<f64> = None,
        /// The slope below the threshold.
        negative_slope: f64 = 0.0,
        /// Where the unit begins to pass its input.
        threshold: f64 = 0.0,
    }
}

impl ReLU {
    /// The shape of its input.
    ///
    /// # Errors
    /// If one of its numbers is negative.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let max_value = match self.max_value {
            Some(value) => value,
            None => 0.0,
        };
        let numbers = [("max_value", max_value), ("negative_slope", self.negative_slope), ("threshold", self.threshold)];
        let mut i = 0;
        while i < numbers.len() {
            let (name, value) = numbers[i];
            if value < 0.0 {
                let message = Text::from("`").and(name).and("` of `ReLU` cannot be negative");
                return Err(ShapeError::new(At::Argument(name), message).help(Text::from("use 0 or more")));
            }
            i += 1;
        }
        match rules::one(Self::NAME, inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}
