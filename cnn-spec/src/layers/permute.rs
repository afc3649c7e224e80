//! `Permute`: the axes in another order.

use crate::layer::layer;
use crate::{At, Axes, Dim, Inferred, Operand, Reach, Shape, ShapeError, Text, axes, rules};

layer! {
    /// The axes of each example in another order, as Keras' `Permute`.
    Permute "permute" {
        /// For each axis of the output the axis of the input it is; the first after the batch is 1.
        dims: Axes,
        ;
    }
}

impl Permute {
    /// Any shape to the same sizes in another order.
    ///
    /// # Errors
    /// If `dims` does not name each axis of the input once.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let (axes, rank) = (self.dims.as_slice(), input.shape.rank());
        if axes.len() != rank {
            return Err(self.misfit(At::Argument("dims"), input));
        }
        let mut sizes = [Dim::Unknown; Shape::MAX_RANK];
        let mut seen = [false; Shape::MAX_RANK];
        let mut i = 0;
        while i < rank {
            let axis = match axes::axis(At::Element("dims", i), axes[i], input) {
                Ok(axis) => axis,
                Err(error) => return Err(error),
            };
            if seen[axis] {
                return Err(self.misfit(At::Element("dims", i), input));
            }
            seen[axis] = true;
            sizes[i] = input.shape.dims()[axis];
            i += 1;
        }
        Ok(Inferred::shape(Shape::of(sizes.split_at(rank).0)).reach(Reach::Whole))
    }

    const fn misfit(&self, at: At, input: &Operand) -> ShapeError {
        let mut order = [0; Shape::MAX_RANK];
        let mut i = 0;
        while i < order.len() {
            order[i] = i + 1;
            i += 1;
        }
        let order = order.split_at(input.shape.rank()).0;
        let message = Text::from("`Permute` takes each axis of `").and(input.name).and("` once");
        let note = Text::from("`").and(input.name).and("` is ").shape(&input.shape).and(", whose axes are ").tuple(order);
        let mut example = [0; Shape::MAX_RANK];
        let mut i = 0;
        while i < order.len() {
            example[i] = order[order.len() - 1 - i];
            i += 1;
        }
        let help = Text::from("name each of them once, as in `Permute").tuple(example.split_at(order.len()).0).and("`");
        ShapeError::new(at, message).note(note).help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_axis_once() {
        let on = |dims: Axes| Permute::new(dims).infer(&[Operand::new("i", Shape::new([28, 27, 3]))]);
        assert_eq!(on(Axes::new([3, 1, 2])).unwrap().shape, Shape::new([3, 28, 27]));
        let error = on(Axes::new([1, 1, 2])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Permute` takes each axis of `i` once");
        assert_eq!(error.note.as_str(), "`i` is 28×27×3, whose axes are (1, 2, 3)");
        assert_eq!(on(Axes::new([-1, 1, 2])).unwrap().shape, Shape::new([3, 28, 27]));
        for wrong in [Axes::new([0, 1, 2]), Axes::new([1, 2, 4]), Axes::NONE] {
            assert!(on(wrong).is_err());
        }
    }
}
