//! `BatchNormalization`: every channel is given mean 0 and variance 1 over the batch.

use crate::axes::axis;
use crate::layer::layer;
use crate::normalization::{Affine, epsilon};
use crate::{At, Constraint, Inferred, Initializer, Operand, Parameter, Regularizer, ShapeError, Text, rules};

layer! {
    /// Batch normalisation (Ioffe & Szegedy, 2015) of the last axis, as Keras' `BatchNormalization`.
    ///
    /// While training, each channel is normalised with the mean and the variance it has over the batch and all positions,
    /// and these are averaged into `running_mean` and `running_var`; otherwise, and in a frozen layer always, it is
    /// normalised with the averages. Both variances are biased, that is, divided by the number of values.
    BatchNormalization "batch_normalization" {
        ;
        /// The axis of the channels; it must be the last.
        axis: isize = -1,
        /// The share of a running statistic that a batch leaves as it was. PyTorch's is one minus this.
        momentum: f64 = 0.99,
        /// What is added to the variance before its root is taken.
        epsilon | eps: f64 = 0.001,
        /// Whether each channel has a `bias` added.
        center: bool = true,
        /// Whether each channel is multiplied by a `weight`.
        scale: bool = true,
        /// How the biases begin.
        beta_initializer: Initializer = Initializer::Zeros,
        /// How the weights begin.
        gamma_initializer: Initializer = Initializer::Ones,
        /// How the running means begin.
        moving_mean_initializer: Initializer = Initializer::Zeros,
        /// How the running variances begin.
        moving_variance_initializer: Initializer = Initializer::Ones,
        /// What the biases add to the training loss.
        beta_regularizer: Option<Regularizer> = None,
        /// What the weights add to the training loss.
        gamma_regularizer: Option<Regularizer> = None,
        /// What the biases are held to after each step of training.
        beta_constraint: Option<Constraint> = None,
        /// What the weights are held to after each step of training.
        gamma_constraint: Option<Constraint> = None,
    }
}

impl BatchNormalization {
    /// The shape of its input; two parameters and two running statistics for each channel.
    ///
    /// # Errors
    /// If the number of channels is unknown, `axis` is not the last, or a number is out of its range.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let channels = match self.checked(inputs) {
            Ok(channels) => channels,
            Err(error) => return Err(error),
        };
        let affine = Affine {
            center: self.center,
            scale: self.scale,
            beta_initializer: self.beta_initializer,
            gamma_initializer: self.gamma_initializer,
            beta_regularizer: self.beta_regularizer,
            gamma_regularizer: self.gamma_regularizer,
            beta_constraint: self.beta_constraint,
            gamma_constraint: self.gamma_constraint,
        };
        let parameters = affine
            .parameters(&[channels])
            .with(Parameter::new("running_mean", [channels], self.moving_mean_initializer).statistic())
            .with(Parameter::new("running_var", [channels], self.moving_variance_initializer).statistic());
        Ok(Inferred::shape(inputs[0].shape).parameters(parameters))
    }

    const fn checked(&self, inputs: &[Operand]) -> Result<usize, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        match axis(At::Argument("axis"), self.axis, input) {
            Ok(axis) if axis + 1 == input.shape.rank() => {}
            Ok(_) => {
                let message = Text::from("`BatchNormalization` normalises channels, the last axis; `axis` is ");
                let help = Text::from("leave `axis` out");
                return Err(ShapeError::new(At::Argument("axis"), message.signed(self.axis as i64)).help(help));
            }
            Err(error) => return Err(error),
        }
        if let Err(error) = rules::within("momentum", self.momentum, [0.0, 1.0], "from 0 to 1", "0.99") {
            return Err(error);
        }
        if let Err(error) = epsilon(self.epsilon) {
            return Err(error);
        }
        rules::channels(Self::NAME, input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dim, Shape};

    const LAYER: BatchNormalization = BatchNormalization::new();

    #[test]
    fn counts_statistics_apart() {
        let image = Operand::new("x", Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(64)]));
        let inferred = LAYER.infer(&[image]).unwrap();
        assert_eq!((inferred.shape, inferred.parameters.count()), (image.shape, 128));
        let names: Vec<_> = inferred.parameters.as_slice().iter().map(|p| (p.name, p.is_statistic)).collect();
        assert_eq!(names, [("weight", false), ("bias", false), ("running_mean", true), ("running_var", true)]);
        let bare = LAYER.scale(false).center(false).infer(&[image]).unwrap();
        assert_eq!((bare.parameters.count(), bare.parameters.as_slice().len()), (0, 2));
    }

    #[test]
    fn refuses_other_axes_and_odd_numbers() {
        let image = Operand::new("x", Shape::new([8, 6, 4]));
        assert!(LAYER.axis(3).infer(&[image]).is_ok());
        let error = LAYER.axis(1).infer(&[image]).unwrap_err();
        assert_eq!(error.message.as_str(), "`BatchNormalization` normalises channels, the last axis; `axis` is 1");
        assert!(LAYER.axis(4).infer(&[image]).is_err());
        assert!(LAYER.momentum(1.5).infer(&[image]).is_err());
        assert!(LAYER.epsilon(f64::NAN).infer(&[image]).is_err());
        assert!(LAYER.infer(&[Operand::new("x", Shape::of(&[Dim::Known(8), Dim::Unknown]))]).is_err());
    }
}
