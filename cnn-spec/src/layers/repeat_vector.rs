//! `RepeatVector`: a vector as every step of a sequence.

use crate::layer::layer;
use crate::{At, Dim, Inferred, Operand, Shape, ShapeError, Text, rules};

layer! {
    /// `N, F` to `N, n, F`: each vector `n` times, as Keras' `RepeatVector`.
    RepeatVector "repeat_vector" {
        /// How often it is repeated.
        n: usize,
        ;
    }
}

impl RepeatVector {
    /// `F` to `n, F`.
    ///
    /// # Errors
    /// If the input is no vector, or `n` is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if let Err(error) = rules::size("n", self.n) {
            return Err(error);
        }
        if input.shape.rank() != 1 {
            let message = Text::from("`RepeatVector` takes a vector; `").and(input.name).and("` is ").shape(&input.shape);
            return Err(ShapeError::new(At::Input(0), message).help(Text::from("put `Flatten()` before it")));
        }
        Ok(Inferred::shape(Shape::of(&[Dim::Known(self.n), input.shape.channels()])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_vectors_alone() {
        let on = |n, shape| RepeatVector::new(n).infer(&[Operand::new("x", shape)]);
        assert_eq!(on(3, Shape::new([7])).unwrap().shape, Shape::new([3, 7]));
        assert!(on(0, Shape::new([7])).is_err());
        assert_eq!(on(3, Shape::new([7, 7])).unwrap_err().message.as_str(), "`RepeatVector` takes a vector; `x` is 7×7");
    }
}
