//! `RMSNormalization`: the values along an axis are given a mean square of 1.

use crate::layer::layer;
use crate::normalization::{epsilon, is_pointwise, together};
use crate::{At, Axes, Dim, Inferred, Initializer, Operand, Parameter, Parameters, Reach, Shape, ShapeError, Text, rules};

layer! {
    /// `weight·x/√(mean(x²) + epsilon)` of the values along the last axis, or along several (Zhang & Sennrich, 2019), as Keras'
    /// `RMSNormalization`.
    RMSNormalization "rms_normalization" {
        ;
        /// The axes normalised together.
        axis: Axes = Axes::new([-1]),
        /// What is added to the mean square before its root is taken.
        epsilon | eps: f64 = 0.000001,
    }
}

impl RMSNormalization {
    /// The shape of its input; a weight for each value along the axes, outermost first.
    ///
    /// # Errors
    /// If there is no axis, one is none of the input's or of unknown size, or `epsilon` is negative.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if let Err(error) = epsilon(self.epsilon) {
            return Err(error);
        }
        let is_among = match together(Self::NAME, &self.axis, input) {
            Ok(is_among) => is_among,
            Err(error) => return Err(error),
        };
        let (mut sizes, mut count, mut axis) = ([1; Shape::MAX_RANK], 0, 0);
        while axis < input.shape.rank() {
            if is_among[axis] {
                match input.shape.dims()[axis] {
                    Dim::Known(n) => sizes[count] = n,
                    Dim::Unknown => return Err(unknown_size(input)),
                }
                count += 1;
            }
            axis += 1;
        }
        let weight = Parameter::of("weight", sizes.split_at(count).0, Initializer::Ones);
        let reach = if is_pointwise(&is_among, input) { Reach::Cell } else { Reach::Whole };
        Ok(Inferred::shape(input.shape).parameters(Parameters::NONE.with(weight)).reach(reach))
    }
}

const fn unknown_size(input: &Operand) -> ShapeError {
    let message = Text::from("`RMSNormalization` needs the sizes it normalises; `").and(input.name).and("` is ");
    let help = Text::from("use `axis=-1`, or give `Input` every size");
    ShapeError::new(At::Input(0), message.shape(&input.shape)).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_weight_for_each_value_along_the_axes() {
        let on = |layer: RMSNormalization| layer.infer(&[Operand::new("x", Shape::new([8, 6, 4]))]);
        let dims = |axis| on(RMSNormalization::new().axis(axis)).unwrap().parameters.as_slice()[0].dims().to_vec();
        assert_eq!(dims(Axes::new([-1])), [4]);
        assert_eq!(dims(Axes::new([3, 1])), [8, 4]);
        assert!(on(RMSNormalization::new().axis(Axes::NONE)).is_err());
        assert!(on(RMSNormalization::new().epsilon(-1.0)).is_err());
        let any = Operand::new("x", Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(4)]));
        assert!(RMSNormalization::new().infer(&[any]).is_ok());
        assert!(RMSNormalization::new().axis(Axes::new([1])).infer(&[any]).is_err());
    }
}
