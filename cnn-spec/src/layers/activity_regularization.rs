//! `ActivityRegularization`: a penalty on the values that pass.

use crate::layer::layer;
use crate::{Inferred, Operand, Regularizer, ShapeError, rules};

layer! {
    /// Any tensor as it is, with `(l1·Σ|x| + l2·Σx²)/N` of the `N` examples of a batch added to the loss, in training and in
    /// evaluation, as Keras' `ActivityRegularization`.
    ActivityRegularization "activity_regularization" {
        ;
        /// The factor of the sum of magnitudes.
        l1: f64 = 0.0,
        /// The factor of the sum of squares.
        l2: f64 = 0.0,
    }
}

impl ActivityRegularization {
    /// The shape of its input.
    ///
    /// # Errors
    /// If a factor is negative or not finite.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if let Err(error) = rules::within("l1", self.l1, [0.0, f64::MAX], "0 or more", "0.001") {
            return Err(error);
        }
        match rules::within("l2", self.l2, [0.0, f64::MAX], "0 or more", "0.001") {
            Ok(()) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }

    /// The penalty it adds, if it adds any.
    pub const fn regularizer(&self) -> Option<Regularizer> {
        if self.l1 == 0.0 && self.l2 == 0.0 { None } else { Some(Regularizer::new(self.l1, self.l2)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn factors_are_not_negative() {
        let on = |layer: ActivityRegularization| layer.infer(&[Operand::new("x", Shape::new([4]))]);
        let layer = ActivityRegularization::new();
        assert_eq!((on(layer).unwrap().shape, layer.regularizer()), (Shape::new([4]), None));
        assert_eq!(layer.l2(0.5).regularizer(), Some(Regularizer::new(0.0, 0.5)));
        assert!(on(layer.l1(-0.1)).is_err() && on(layer.l2(f64::INFINITY)).is_err() && on(layer.l1(f64::NAN)).is_err());
    }
}
