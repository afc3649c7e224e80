//! `Dense`: every output weighs every input.

use crate::activation::Activation;
use crate::layer::layer;
use crate::{
    At, Constraint, Inferred, Initializer, Operand, Parameter, Parameters, Reach, Regularizer, Shape, ShapeError, Text, rules,
};

layer! {
    /// A fully connected layer over a vector of features, as Keras' `Dense`.
    Dense "dense" {
        /// The number of values it gives.
        units: usize,
        ;
        /// The function applied to its output.
        activation: Activation = Activation::Linear,
        /// Whether each unit has a bias.
        use_bias | bias: bool = true,
        /// How the weights begin.
        kernel_initializer: Initializer = Initializer::GlorotUniform,
        /// How the bias begins.
        bias_initializer: Initializer = Initializer::Zeros,
        /// What the weights add to the training loss.
        kernel_regularizer: Option<Regularizer> = None,
        /// What the bias adds to the training loss.
        bias_regularizer: Option<Regularizer> = None,
        /// What the output adds to the training loss, divided by the number of examples.
        activity_regularizer: Option<Regularizer> = None,
        /// What the weights are held to after each step of training.
        kernel_constraint: Option<Constraint> = None,
        /// What the bias is held to after each step of training.
        bias_constraint: Option<Constraint> = None,
    }
}

impl Dense {
    /// `F` to `units`; `F·units` weights and `units` biases.
    ///
    /// # Errors
    /// If the input is not a vector: unlike Keras', this layer does not act on the last axis of an image.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let features = match self.checked(inputs) {
            Ok(features) => features,
            Err(error) => return Err(error),
        };
        let weight = Parameter::matrix("weight", [self.units, features], self.kernel_initializer)
            .fans(features, self.units)
            .regularized(self.kernel_regularizer)
            .constrained("kernel_constraint", self.kernel_constraint);
        let parameters = Parameters::NONE.with(weight);
        let parameters = if self.use_bias {
            let bias = Parameter::new("bias", [self.units], self.bias_initializer).regularized(self.bias_regularizer);
            parameters.with(bias.constrained("bias_constraint", self.bias_constraint))
        } else {
            parameters
        };
        Ok(Inferred::shape(Shape::new([self.units]))
            .parameters(parameters)
            .macs(rules::product(&[Some(features), Some(self.units)]))
            .reach(Reach::Whole)
            .ends_in(self.activation))
    }

    const fn checked(&self, inputs: &[Operand]) -> Result<usize, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if let Err(error) = rules::size("units", self.units) {
            return Err(error);
        }
        if input.shape.rank() != 1 {
            return Err(self.not_a_vector(input));
        }
        rules::channels(Self::NAME, input)
    }

    const fn not_a_vector(&self, input: &Operand) -> ShapeError {
        let message = Text::from("`Dense` takes a vector; `").and(input.name).and("` is ").shape(&input.shape);
        let note = Text::from("it would act on the last axis alone and keep the ").dims(input.shape.spatial());
        let (note, help) = if input.shape.rank() == 3 {
            let help = Text::from("put `Flatten()` or `GlobalAveragePooling2D()` before it, or say `Conv2D(");
            (note.and(" image"), help.num(self.units).and(", 1)` if that is meant"))
        } else {
            (note.and(" positions"), Text::from("put `Flatten()` before it"))
        };
        ShapeError::new(At::Layer, message).note(note).help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_weights_and_biases() {
        let inferred = Dense::new(10).infer(&[Operand::new("x", Shape::new([512]))]).unwrap();
        assert_eq!(inferred.parameters.count(), 5130);
        assert_eq!(inferred.macs, Some(5120));
        let inferred = Dense::new(10).use_bias(false).infer(&[Operand::new("x", Shape::new([512]))]).unwrap();
        assert_eq!(inferred.parameters.count(), 5120);
    }

    #[test]
    fn does_not_act_on_an_image() {
        let error = Dense::new(10).infer(&[Operand::new("x", Shape::new([26, 26, 8]))]).unwrap_err();
        assert_eq!(error.message.as_str(), "`Dense` takes a vector; `x` is 26×26×8");
        assert_eq!(error.note.as_str(), "it would act on the last axis alone and keep the 26×26 image");
        assert!(error.help.as_str().contains("`Conv2D(10, 1)`"));
    }
}
