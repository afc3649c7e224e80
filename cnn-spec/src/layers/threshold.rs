//! `Threshold`: one value for all that is not above a threshold.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// `x` above `threshold`, else `value`, as Keras' `threshold` and PyTorch's `Threshold`. Its slope at the threshold is 0.
    Threshold "threshold" {
        /// Where the layer begins to pass its input.
        threshold: f64,
        /// The output up to there.
        value | default_value: f64,
        ;
    }
}

impl Threshold {
    /// The shape of its input.
    ///
    /// # Errors
    /// If one of its numbers is not finite.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let finite = [-f64::MAX, f64::MAX];
        if let Err(error) = rules::within("threshold", self.threshold, finite, "a number", "0.5") {
            return Err(error);
        }
        match rules::within("value", self.value, finite, "a number", "0.0") {
            Ok(()) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn takes_any_shape_and_finite_numbers() {
        let on = |layer: Threshold| layer.infer(&[Operand::new("x", Shape::new([8, 6, 4]))]);
        assert_eq!(on(Threshold::new(-0.5, 20.0)).unwrap(), Inferred::shape(Shape::new([8, 6, 4])));
        assert!(on(Threshold::new(f64::NAN, 0.0)).is_err() && on(Threshold::new(0.0, f64::INFINITY)).is_err());
    }
}
