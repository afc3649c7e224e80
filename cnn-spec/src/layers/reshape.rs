//! `Reshape`: the same elements in another shape.

use crate::layer::layer;
use crate::{At, Dim, Inferred, Operand, Reach, Shape, ShapeError, Target, Text, rules};

layer! {
    /// The elements of each example in another shape, in the same order, as Keras' `Reshape`.
    Reshape "reshape" {
        /// The sizes without the batch; one may be `-1`, and follows from the others.
        target_shape: Target,
        ;
    }
}

impl Reshape {
    /// Any shape to the target.
    ///
    /// # Errors
    /// If more than one size is left open, a size is 0, or the numbers of elements differ.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let (given, open) = match self.given() {
            Ok(given) => given,
            Err(error) => return Err(error),
        };
        if !input.shape.is_known() {
            return Ok(Inferred::shape(*self.target_shape.shape()).reach(Reach::Whole));
        }
        let Some(elements) = input.shape.elements() else {
            let message = Text::from("`").and(input.name).and("` of ").shape(&input.shape).and(" has too many elements");
            return Err(ShapeError::new(At::Input(0), message).help(Text::from("use smaller sizes")));
        };
        match open {
            None if given == elements => Ok(Inferred::shape(*self.target_shape.shape()).reach(Reach::Whole)),
            Some(axis) if elements.is_multiple_of(given) => {
                Ok(Inferred::shape(self.filled(axis, elements / given)).reach(Reach::Whole))
            }
            _ => Err(self.misfit(given, elements, input)),
        }
    }

    /// The product of the sizes given, and the axis left open.
    const fn given(&self) -> Result<(usize, Option<usize>), ShapeError> {
        let dims = self.target_shape.shape().dims();
        let (mut product, mut open, mut axis) = (1usize, None, 0);
        while axis < dims.len() {
            let at = At::Element("target_shape", axis);
            match dims[axis] {
                Dim::Known(0) => {
                    let message = Text::from("a size of `target_shape` must be at least 1, found 0");
                    return Err(
                        ShapeError::new(at, message).help(Text::from("use `1` or more, or `-1` for the size that follows"))
                    );
                }
                Dim::Known(n) => {
                    if let Err(error) = rules::at_most_the_largest(at, "target_shape", n) {
                        return Err(error);
                    }
                    product = product.saturating_mul(n);
                }
                Dim::Unknown if open.is_some() => {
                    let message = Text::from("only one size of `target_shape` can follow from the others");
                    return Err(ShapeError::new(at, message).help(Text::from("leave one `-1`, and write the other sizes out")));
                }
                Dim::Unknown => open = Some(axis),
            }
            axis += 1;
        }
        Ok((product, open))
    }

    /// The target with `size` on the axis left open.
    const fn filled(&self, open: usize, size: usize) -> Shape {
        let dims = self.target_shape.shape().dims();
        let mut filled = [Dim::Known(size); Shape::MAX_RANK];
        let mut axis = 0;
        while axis < dims.len() {
            if axis != open {
                filled[axis] = dims[axis];
            }
            axis += 1;
        }
        Shape::of(filled.split_at(dims.len()).0)
    }

    const fn misfit(&self, given: usize, elements: usize, input: &Operand) -> ShapeError {
        let target = self.target_shape.shape();
        let message = Text::from("`Reshape` cannot make ").shape(&input.shape).and(" into ").shape(target);
        let note = Text::from("`").and(input.name).and("` has ").num(elements).and(" elements, ").shape(target).and(" has ");
        let note = if target.is_known() { note.num(given) } else { note.and("a multiple of ").num(given) }.and(" elements");
        let help =
            Text::from("use sizes whose product is ").num(elements).and(", as that of `Reshape(").num(elements).and(")` is");
        let rest = self.without_the_last(elements);
        let help = match rest {
            Some(rest) => Text::from("with ").num(rest).and(" as the last size it fits"),
            None => help,
        };
        ShapeError::new(At::Argument("target_shape"), message).note(note).help(help)
    }

    /// The last size with which the elements would fit, the other sizes staying as they are.
    const fn without_the_last(&self, elements: usize) -> Option<usize> {
        let dims = self.target_shape.shape().dims();
        let (mut product, mut axis) = (1usize, 0);
        while axis + 1 < dims.len() {
            match dims[axis] {
                Dim::Known(n) => product = product.saturating_mul(n),
                Dim::Unknown => return None,
            }
            axis += 1;
        }
        if elements.is_multiple_of(product) { Some(elements / product) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Dim = Dim::Unknown;

    fn on(shape: Shape, target: &[Dim]) -> Result<Shape, ShapeError> {
        Reshape::new(Target::of(target)).infer(&[Operand::new("i", shape)]).map(|inferred| inferred.shape)
    }

    #[test]
    fn one_size_follows_from_the_others() {
        let image = Shape::new([28, 28, 1]);
        assert_eq!(on(image, &[Dim::Known(784)]), Ok(Shape::new([784])));
        assert_eq!(on(image, &[Dim::Known(7), OPEN, Dim::Known(16)]), Ok(Shape::new([7, 7, 16])));
        assert_eq!(on(image, &[OPEN]), Ok(Shape::new([784])));
        let unknown = Shape::of(&[OPEN, Dim::Known(3)]);
        assert_eq!(on(unknown, &[OPEN, Dim::Known(6)]), Ok(Shape::of(&[OPEN, Dim::Known(6)])));
    }

    #[test]
    fn elements_that_do_not_fit_are_counted() {
        let error = on(Shape::new([28, 28, 1]), &[Dim::Known(10), Dim::Known(10)]).unwrap_err();
        assert_eq!(error.message.as_str(), "`Reshape` cannot make 28×28×1 into 10×10");
        assert_eq!(error.note.as_str(), "`i` has 784 elements, 10×10 has 100 elements");
        let error = on(Shape::new([28, 28, 1]), &[Dim::Known(28), Dim::Known(27)]).unwrap_err();
        assert_eq!(error.help.as_str(), "with 28 as the last size it fits");
        let error = on(Shape::new([10]), &[Dim::Known(3), OPEN]).unwrap_err();
        assert_eq!(error.note.as_str(), "`i` has 10 elements, 3×_ has a multiple of 3 elements");
        assert_eq!(on(Shape::new([10]), &[OPEN, OPEN]).unwrap_err().at, At::Element("target_shape", 1));
        assert!(on(Shape::new([10]), &[OPEN, Dim::Known(0)]).is_err());
    }
}
