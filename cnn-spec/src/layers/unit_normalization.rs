//! `UnitNormalization`: the values along an axis are given norm 1.

use crate::layer::layer;
use crate::{Axes, Inferred, Operand, Reach, ShapeError, normalization, rules};

layer! {
    /// `x/√Σx²` of the values along the last axis, or along several, as Keras' `UnitNormalization`; a norm below 10⁻¹² counts
    /// as that.
    UnitNormalization "unit_normalization" {
        ;
        /// The axes normalised together.
        axis: Axes = Axes::new([-1]),
    }
}

impl UnitNormalization {
    /// The shape of its input.
    ///
    /// # Errors
    /// If there is no axis, or one is none of the input's.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        match normalization::together(Self::NAME, &self.axis, input) {
            Ok(is_among) => {
                let reach = if normalization::is_pointwise(&is_among, input) { Reach::Cell } else { Reach::Whole };
                Ok(Inferred::shape(input.shape).reach(reach))
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn takes_any_axes_but_the_batch() {
        let on = |axis| UnitNormalization::new().axis(axis).infer(&[Operand::new("x", Shape::new([8, 6, 4]))]);
        assert_eq!(on(Axes::new([-1])).unwrap().reach, Reach::Cell);
        assert_eq!(on(Axes::new([1, 3])).unwrap().reach, Reach::Whole);
        assert_eq!(on(Axes::NONE).unwrap_err().message.as_str(), "`UnitNormalization` needs an axis to normalise along");
        assert!(on(Axes::new([0])).is_err() && on(Axes::new([4])).is_err());
    }
}
