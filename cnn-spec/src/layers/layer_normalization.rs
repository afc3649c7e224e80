//! `LayerNormalization`: the last axes of every example are given mean 0 and variance 1.

use crate::layer::layer;
use crate::normalization::{Affine, epsilon};
use crate::{At, Axes, Constraint, Dim, Inferred, Initializer, Operand, Reach, Regularizer, Shape, ShapeError, Text, rules};

layer! {
    /// Layer normalisation (Ba et al., 2016), as Keras' `LayerNormalization`: each example is normalised with the mean and
    /// the biased variance of its own values along the last axis, or the last axes.
    LayerNormalization "layer_normalization" {
        ;
        /// The axes normalised together, which must be the last: −1 alone, or such as `(2, 3)` or `(1, 2, 3)` of an image.
        axis: Axes = Axes::new([-1]),
        /// What is added to the variance before its root is taken.
        epsilon | eps: f64 = 0.001,
        /// Whether each value along the axes has a `bias` added.
        center: bool = true,
        /// Whether each value along the axes is multiplied by a `weight`.
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

impl LayerNormalization {
    /// The shape of its input; two parameters for each value along the axes.
    ///
    /// # Errors
    /// If the axes are not the last, or one of them has an unknown size.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if let Err(error) = epsilon(self.epsilon) {
            return Err(error);
        }
        let count = match self.count(input) {
            Ok(count) => count,
            Err(error) => return Err(error),
        };
        let mut sizes = [0; Shape::MAX_RANK];
        let rank = input.shape.rank();
        let mut i = 0;
        while i < count {
            match input.shape.dims()[rank - count + i] {
                Dim::Known(n) => sizes[i] = n,
                Dim::Unknown => return Err(unknown_size(input)),
            }
            i += 1;
        }
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
        let reach = if count == 1 && rank > 1 { Reach::Cell } else { Reach::Whole };
        Ok(Inferred::shape(input.shape).parameters(affine.parameters(sizes.split_at(count).0)).reach(reach))
    }

    /// How many axes, from the last on, are normalised together.
    ///
    /// # Errors
    /// If they are not the last axes.
    pub const fn count(&self, input: &Operand) -> Result<usize, ShapeError> {
        let is_among = match self.axis.of("axis", input) {
            Ok(is_among) => is_among,
            Err(error) => return Err(error),
        };
        let rank = input.shape.rank();
        let mut count = 0;
        while count < rank && is_among[rank - 1 - count] {
            count += 1;
        }
        let mut axis = 0;
        let mut is_gapless = count > 0;
        while axis < rank - count {
            is_gapless = is_gapless && !is_among[axis];
            axis += 1;
        }
        if is_gapless {
            return Ok(count);
        }
        let message = Text::from("`LayerNormalization` normalises the last axis, or several up to it");
        let help = Text::from("use `axis=-1`, or `axis=(1, …, ").num(rank).and(")` for all of `").and(input.name).and("`");
        Err(ShapeError::new(At::Argument("axis"), message).help(help))
    }
}

const fn unknown_size(input: &Operand) -> ShapeError {
    let message = Text::from("`LayerNormalization` needs the sizes it normalises; `").and(input.name).and("` is ");
    let help = Text::from("normalise the last axis alone, or give `Input` every size");
    ShapeError::new(At::Input(0), message.shape(&input.shape)).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: LayerNormalization = LayerNormalization::new();

    fn dims(layer: LayerNormalization) -> Result<Vec<usize>, ShapeError> {
        let inferred = layer.infer(&[Operand::new("x", Shape::new([8, 6, 4]))])?;
        Ok(inferred.parameters.as_slice()[0].dims().to_vec())
    }

    #[test]
    fn has_the_shape_of_its_axes() {
        assert_eq!(dims(LAYER), Ok(vec![4]));
        assert_eq!(dims(LAYER.axis(Axes::new([1, 2, 3]))), Ok(vec![8, 6, 4]));
        assert_eq!(dims(LAYER.axis(Axes::new([-1, -2]))), Ok(vec![6, 4]));
    }

    #[test]
    fn refuses_axes_that_are_not_the_last() {
        for axes in [Axes::new([1, -1]).as_slice(), &[1], &[2, 1]] {
            let layer = match axes {
                [axis] => LAYER.axis(Axes::new([*axis])),
                [a, b] => LAYER.axis(Axes::new([*a, *b])),
                _ => unreachable!(),
            };
            let error = dims(layer).unwrap_err();
            assert_eq!(error.message.as_str(), "`LayerNormalization` normalises the last axis, or several up to it");
        }
        assert!(dims(LAYER.axis(Axes::NONE)).is_err());
        assert!(dims(LAYER.epsilon(-1.0)).is_err());
    }
}
