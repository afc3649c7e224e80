//! `PReLU`: a rectifier whose slope below 0 is learned.

use crate::layer::layer;
use crate::{
    At, Axes, Constraint, Dim, Inferred, Initializer, Operand, Parameter, Parameters, Regularizer, Shape, ShapeError, Text, rules,
};

layer! {
    /// The parametric rectifier (He et al., 2015), as Keras' `PReLU`: `x` if positive, else `weight·x`, with a weight for
    /// every position and channel, or one for all positions along the axes that share it.
    PReLU "prelu" {
        ;
        /// How the weights begin.
        alpha_initializer: Initializer = Initializer::Zeros,
        /// What the weights add to the training loss.
        alpha_regularizer: Option<Regularizer> = None,
        /// What the weights are held to after each step of training.
        alpha_constraint: Option<Constraint> = None,
        /// The axes along which there is one weight for all: `(1, 2)` for one for each channel of an image.
        shared_axes: Axes = Axes::NONE,
    }
}

impl PReLU {
    /// The shape of its input; as many weights as it has elements, with 1 for the size of every shared axis.
    ///
    /// # Errors
    /// If a shared axis is none of the input's, or another has an unknown size.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let shared = match self.shared_axes.of("shared_axes", input) {
            Ok(shared) => shared,
            Err(error) => return Err(error),
        };
        let mut sizes = [1; Shape::MAX_RANK];
        let mut axis = 0;
        while axis < input.shape.rank() {
            if !shared[axis] {
                match input.shape.dims()[axis] {
                    Dim::Known(n) => sizes[axis] = n,
                    Dim::Unknown => return Err(unknown_size(input)),
                }
            }
            axis += 1;
        }
        let weight = Parameter::of("weight", sizes.split_at(axis).0, self.alpha_initializer);
        let weight = weight.regularized(self.alpha_regularizer).constrained("alpha_constraint", self.alpha_constraint);
        let parameters = Parameters::NONE.with(weight);
        Ok(Inferred::shape(input.shape).parameters(parameters))
    }
}

const fn unknown_size(input: &Operand) -> ShapeError {
    let message = Text::from("`PReLU` needs the size of every axis that shares no weight; `").and(input.name).and("` is ");
    let help = Text::from("share one weight along the axes of unknown size, as in `shared_axes=(1, 2)`");
    ShapeError::new(At::Input(0), message.shape(&input.shape)).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_axes_have_one_weight() {
        let image = Operand::new("x", Shape::new([8, 6, 4]));
        let dims = |layer: PReLU| layer.infer(&[image]).unwrap().parameters.as_slice()[0].dims().to_vec();
        assert_eq!(dims(PReLU::new()), [8, 6, 4]);
        assert_eq!(dims(PReLU::new().shared_axes(Axes::new([1, 2]))), [1, 1, 4]);
        assert!(PReLU::new().shared_axes(Axes::new([0])).infer(&[image]).is_err());
        let any = Operand::new("x", Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(4)]));
        assert!(PReLU::new().shared_axes(Axes::new([1, 2])).infer(&[any]).is_ok());
        assert!(PReLU::new().infer(&[any]).is_err());
    }
}
