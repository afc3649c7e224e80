//! `Softmax`: values become probabilities.

use crate::activation::Activation;
use crate::axes::axis;
use crate::layer::layer;
use crate::{At, Inferred, Operand, Reach, ShapeError, rules};

layer! {
    /// `e^{xᵢ} / Σ e^{xⱼ}` along one axis, as Keras' `Softmax`.
    Softmax "softmax" {
        ;
        /// The axis along which values add up to 1.
        axis: isize = -1,
    }
}

impl Softmax {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input has no such axis.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        match self.place(input) {
            Ok(axis) if axis + 1 == input.shape.rank() => Ok(Inferred::shape(input.shape).ends_in(Activation::Softmax)),
            Ok(_) => Ok(Inferred::shape(input.shape).reach(Reach::Whole)),
            Err(error) => Err(error),
        }
    }

    /// The place of its axis in the shape of an example of `input`.
    ///
    /// # Errors
    /// If the input has no such axis.
    pub const fn place(&self, input: &Operand) -> Result<usize, ShapeError> {
        axis(At::Argument("axis"), self.axis, input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn ends_in_softmax_along_the_last_axis_alone() {
        let image = [Operand::new("x", Shape::new([8, 6, 4]))];
        assert_eq!(Softmax::new().infer(&image).unwrap().ends_in, Activation::Softmax);
        assert_eq!(Softmax::new().axis(3).infer(&image).unwrap().ends_in, Activation::Softmax);
        assert_eq!(Softmax::new().axis(1).infer(&image).unwrap().ends_in, Activation::Linear);
        assert!(Softmax::new().axis(0).infer(&image).is_err());
    }
}
