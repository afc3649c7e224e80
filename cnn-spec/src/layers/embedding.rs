//! `Embedding`: a trained vector for each of so many symbols.

use crate::layer::layer;
use crate::{
    At, Constraint, Dim, Inferred, Initializer, Operand, Parameter, Parameters, Regularizer, Shape, ShapeError, Text, rules,
};

layer! {
    /// The vector of each symbol, as Keras' `Embedding`: whole numbers from 0 to below `input_dim` become vectors of
    /// `output_dim`.
    ///
    /// The symbols may come as whole numbers (`u32`, `u8`, `i64`) or as floats that are whole.
    Embedding "embedding" {
        /// How many symbols there are.
        input_dim: usize,
        /// The length of a vector.
        output_dim: usize,
        ;
        /// How the vectors begin.
        embeddings_initializer: Initializer = Initializer::random_uniform(-0.05, 0.05),
        /// What the vectors add to the training loss.
        embeddings_regularizer: Option<Regularizer> = None,
        /// What the vectors are held to after each step of training.
        embeddings_constraint: Option<Constraint> = None,
        /// What the output adds to the training loss, divided by the number of examples.
        activity_regularizer: Option<Regularizer> = None,
    }
}

impl Embedding {
    /// Any shape to the same shape of vectors: `T` to `T, output_dim`; one tensor, `weight` as `input_dim, output_dim`.
    ///
    /// # Errors
    /// If a size is 0, or the input has no room for another axis.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let sizes = [("input_dim", self.input_dim), ("output_dim", self.output_dim)];
        let mut i = 0;
        while i < sizes.len() {
            if let Err(error) = rules::size(sizes[i].0, sizes[i].1) {
                return Err(error);
            }
            i += 1;
        }
        let rank = input.shape.rank();
        if rank == Shape::MAX_RANK {
            let message = Text::from("`Embedding` adds an axis, and `").and(input.name).and("` has ").num(rank).and(" already");
            return Err(ShapeError::new(At::Input(0), message).help(Text::from("apply it to a sequence, such as `Input(100)`")));
        }
        let mut dims = [Dim::Known(self.output_dim); Shape::MAX_RANK];
        let mut axis = 0;
        while axis < rank {
            dims[axis] = input.shape.dims()[axis];
            axis += 1;
        }
        let weight = Parameter::new("weight", [self.input_dim, self.output_dim], self.embeddings_initializer)
            .fans(self.input_dim, self.output_dim)
            .regularized(self.embeddings_regularizer)
            .constrained("embeddings_constraint", self.embeddings_constraint);
        Ok(Inferred::shape(Shape::of(dims.split_at(rank + 1).0)).parameters(Parameters::NONE.with(weight)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_an_axis_of_vectors() {
        let on = |shape| Embedding::new(1000, 16).infer(&[Operand::new("i", shape)]);
        let text = on(Shape::new([40])).unwrap();
        assert_eq!((text.shape, text.parameters.count()), (Shape::new([40, 16]), 16_000));
        assert_eq!(on(Shape::of(&[Dim::Unknown])).unwrap().shape, Shape::of(&[Dim::Unknown, Dim::Known(16)]));
        assert!(on(Shape::new([1; 6])).is_err());
        assert!(Embedding::new(0, 16).infer(&[Operand::new("i", Shape::new([4]))]).is_err());
    }
}
