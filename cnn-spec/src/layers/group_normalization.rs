//! `GroupNormalization`: groups of channels of every example are given mean 0 and variance 1.

use crate::axes::axis;
use crate::layer::layer;
use crate::normalization::{Affine, epsilon};
use crate::{At, Constraint, Inferred, Initializer, Operand, Reach, Regularizer, ShapeError, Text, rules};

layer! {
    /// Group normalisation (Wu & He, 2018), as Keras' `GroupNormalization`: each example's channels are split into groups,
    /// and each group is normalised with the mean and the biased variance of its values at all positions.
    ///
    /// `groups=-1` makes every channel a group of its own, which is instance normalisation.
    GroupNormalization "group_normalization" {
        ;
        /// The number of groups, or −1 for one for each channel.
        groups: isize = 32,
        /// The axis of the channels; it must be the last.
        axis: isize = -1,
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

impl GroupNormalization {
    /// The shape of its input; two parameters for each channel.
    ///
    /// # Errors
    /// If the groups do not divide the channels, the number of channels is unknown, or `axis` is not the last.
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
        Ok(Inferred::shape(inputs[0].shape).parameters(affine.parameters(&[channels])).reach(Reach::Whole))
    }

    /// How many groups so many channels are split into.
    pub const fn groups_of(&self, channels: usize) -> usize {
        if self.groups < 0 { channels } else { self.groups as usize }
    }

    const fn checked(&self, inputs: &[Operand]) -> Result<usize, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        match axis(At::Argument("axis"), self.axis, input) {
            Ok(axis) if axis + 1 == input.shape.rank() => {}
            Ok(_) => {
                let message = Text::from("`GroupNormalization` splits channels, the last axis; `axis` is ");
                let help = Text::from("leave `axis` out");
                return Err(ShapeError::new(At::Argument("axis"), message.signed(self.axis as i64)).help(help));
            }
            Err(error) => return Err(error),
        }
        if let Err(error) = epsilon(self.epsilon) {
            return Err(error);
        }
        match rules::channels(Self::NAME, input) {
            Ok(channels) => self.even_groups(input, channels),
            Err(error) => Err(error),
        }
    }

    const fn even_groups(&self, input: &Operand, channels: usize) -> Result<usize, ShapeError> {
        let help = Text::from("use `groups=").num(largest_divisor(channels, self.groups)).and("`, or `groups=-1` for one each");
        if self.groups == 0 || self.groups < -1 {
            let message = Text::from("`groups` must be at least 1, or −1, found ").signed(self.groups as i64);
            return Err(ShapeError::new(At::Argument("groups"), message).help(help));
        }
        if !channels.is_multiple_of(self.groups_of(channels)) {
            let message = Text::from("the ").num(channels).and(" channels of `").and(input.name);
            let message = message.and("` do not divide into ").num(self.groups as usize).and(" groups");
            return Err(ShapeError::new(At::Argument("groups"), message).help(help));
        }
        Ok(channels)
    }
}

/// The largest divisor of `n` up to `most`, looked for among the first few sizes a person might mean.
const fn largest_divisor(n: usize, most: isize) -> usize {
    let mut divisor = if most < 1 {
        1
    } else if most > 1024 {
        1024
    } else {
        most as usize
    };
    while divisor > 1 && !n.is_multiple_of(divisor) {
        divisor -= 1;
    }
    divisor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    fn on(channels: usize, layer: GroupNormalization) -> Result<Inferred, ShapeError> {
        layer.infer(&[Operand::new("x", Shape::new([8, 6, channels]))])
    }

    #[test]
    fn splits_channels_evenly() {
        let layer = GroupNormalization::new();
        assert_eq!(on(64, layer).unwrap().parameters.count(), 128);
        assert_eq!(on(20, layer.groups(-1)).unwrap().parameters.count(), 40);
        let error = on(48, layer).unwrap_err();
        assert_eq!(error.message.as_str(), "the 48 channels of `x` do not divide into 32 groups");
        assert_eq!(error.help.as_str(), "use `groups=24`, or `groups=-1` for one each");
        assert!(on(64, layer.groups(0)).is_err() && on(64, layer.groups(-2)).is_err() && on(64, layer.axis(1)).is_err());
    }
}
