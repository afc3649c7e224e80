//! `Dot`: the dot products of the vectors of two tensors.

use crate::layer::layer;
use crate::{At, Axes, Dim, Inferred, Operand, Reach, Shape, ShapeError, Text, axes, merge, rules};

layer! {
    /// The dot product of each vector along an axis of the first tensor with each along an axis of the second, as Keras'
    /// `Dot`: `Σₖ a[…, k] · b[…, k]`.
    Dot "dot" {
        /// The axis of both tensors that is summed over, or one of each, as in `(2, 1)`; 0 is the batch, −1 the last axis.
        axes: Axes,
        ;
        /// Whether vectors are first divided by their length, which makes the products cosines.
        normalize: bool = false,
    }
}

impl Dot {
    /// The axes of the first tensor but its own, then those of the second but its own; of two vectors, one value.
    ///
    /// # Errors
    /// If there are other than two tensors, an axis is not theirs, the two differ in size, or too many axes are left.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let [first, second] = match self.places(inputs) {
            Ok(places) => places,
            Err(error) => return Err(error),
        };
        let (a, b) = (&inputs[0], &inputs[1]);
        let summed = match (a.shape.dims()[first], b.shape.dims()[second]) {
            (Dim::Known(m), Dim::Known(n)) if m != n => return Err(different([first, second], a, b)),
            (Dim::Unknown, n) => n,
            (n, _) => n,
        };
        let left = a.shape.rank() + b.shape.rank() - 2;
        if left > Shape::MAX_RANK {
            let message = Text::from("`Dot` leaves ").num(left).and(" axes of ");
            let note = Text::from("a tensor has at most ").num(Shape::MAX_RANK).and(" besides the batch");
            let help = Text::from("make one of them a vector or a sequence first, as with `Flatten()`");
            return Err(ShapeError::new(At::Inputs, merge::pair(message, a, b)).note(note).help(help));
        }
        let shape = rest(&a.shape, first, &b.shape, second);
        let macs = rules::product(&[rules::elements(&shape), summed.known()]);
        Ok(Inferred::shape(shape).macs(macs).reach(Reach::Whole))
    }

    /// Where the axis that is summed over lies in the shape of each of two inputs, which have no batch.
    ///
    /// # Errors
    /// If there are other than two inputs, or one of them has no such axis.
    pub const fn places(&self, inputs: &[Operand]) -> Result<[usize; 2], ShapeError> {
        if let Err(error) = merge::two(Self::NAME, "Dot(axes=-1)", inputs) {
            return Err(error);
        }
        let numbers = match self.axes.as_slice() {
            [both] => [*both; 2],
            [first, second] => [*first, *second],
            other => {
                let message = Text::from("`axes` takes one axis for both tensors, or one of each; found ").num(other.len());
                let help = Text::from("sum over the last axis of both with `axes=-1`, or name two, as in `axes=(2, 1)`");
                return Err(ShapeError::new(At::Argument("axes"), message).help(help));
            }
        };
        let mut places = [0; 2];
        let mut i = 0;
        while i < 2 {
            let at = if self.axes.as_slice().len() == 1 { At::Argument("axes") } else { At::Element("axes", i) };
            places[i] = match axes::axis(at, numbers[i], &inputs[i]) {
                Ok(place) => place,
                Err(error) => return Err(error),
            };
            i += 1;
        }
        Ok(places)
    }
}

/// The sizes of `a` but that of axis `first`, then those of `b` but that of axis `second`; 1 if none is left.
const fn rest(a: &Shape, first: usize, b: &Shape, second: usize) -> Shape {
    let mut dims = [Dim::Known(1); Shape::MAX_RANK];
    let mut len = 0;
    let mut axis = 0;
    while axis < a.rank() + b.rank() {
        let (dim, is_summed) = if axis < a.rank() {
            (a.dims()[axis], axis == first)
        } else {
            (b.dims()[axis - a.rank()], axis - a.rank() == second)
        };
        if !is_summed {
            dims[len] = dim;
            len += 1;
        }
        axis += 1;
    }
    Shape::of(dims.split_at(if len == 0 { 1 } else { len }).0)
}

const fn different([first, second]: [usize; 2], a: &Operand, b: &Operand) -> ShapeError {
    let message = along(Text::from("`Dot` sums over axes of equal size, found "), a, first);
    let message = along(message.and(" and "), b, second);
    match equal_axes(&a.shape, &b.shape) {
        Some([i, j]) => {
            let help = Text::from("sum over axes of equal size, as with `axes=").tuple(&[i + 1, j + 1]).and("`");
            ShapeError::new(At::Argument("axes"), message).help(help)
        }
        None if a.shape.rank() == 1 && b.shape.rank() == 1 => {
            ShapeError::new(At::Inputs, message).help(merge::project_vector(a, b))
        }
        None => {
            let help = Text::from("give both tensors an axis of the same size, such as as many channels");
            ShapeError::new(At::Inputs, message).help(help)
        }
    }
}

/// `` `x` 4×7 with 7 along axis 2 ``.
const fn along(text: Text, of: &Operand, place: usize) -> Text {
    let text = text.and("`").and(of.name).and("` ").shape(&of.shape).and(" with ").dim(of.shape.dims()[place]);
    text.and(" along axis ").num(place + 1)
}

/// The last axis of `a` that has the size of an axis of `b`, and the last such axis of `b`.
const fn equal_axes(a: &Shape, b: &Shape) -> Option<[usize; 2]> {
    let mut i = a.rank();
    while i > 0 {
        i -= 1;
        let mut j = b.rank();
        while j > 0 {
            j -= 1;
            match (a.dims()[i], b.dims()[j]) {
                (Dim::Known(m), Dim::Known(n)) if m == n => return Some([i, j]),
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn operand<const N: usize>(name: &'static str, sizes: [usize; N]) -> Operand<'static> {
        Operand::new(name, Shape::new(sizes))
    }

    fn on<const N: usize>(axes: [isize; N], a: Operand, b: Operand) -> Result<Inferred, ShapeError> {
        Dot::new(Axes::new(axes)).infer(&[a, b])
    }

    #[test]
    fn leaves_the_axes_it_does_not_sum_over() {
        let (a, b) = (operand("a", [4, 2, 3]), operand("b", [5, 3]));
        let shape = |axes, a, b| on::<2>(axes, a, b).map(|inferred| inferred.shape);
        assert_eq!(shape([3, 2], a, b), Ok(Shape::new([4, 2, 5])));
        assert_eq!(shape([-1, -1], a, b), Ok(Shape::new([4, 2, 5])));
        assert_eq!(shape([2, 1], b, operand("c", [3, 7])), Ok(Shape::new([5, 7])));
        let unknown = Operand::new("u", Shape::of(&[Dim::Unknown, 3.into()]));
        assert_eq!(shape([2, 2], unknown, b), Ok(Shape::of(&[Dim::Unknown, 5.into()])));
        assert_eq!(shape([1, 1], unknown, b), Ok(Shape::new([3, 3])));
        let of_vectors = on([1], operand("a", [8]), operand("b", [8])).unwrap();
        assert_eq!((of_vectors.shape, of_vectors.macs), (Shape::new([1]), Some(8)));
        assert_eq!(on([-1], a, b).unwrap().macs, Some(4 * 2 * 5 * 3));
    }

    #[test]
    fn axes_of_other_sizes_show_those_that_agree() {
        let error = on([2], operand("a", [5, 4]), operand("b", [4, 7])).unwrap_err();
        assert_eq!(
            error.message.as_str(),
            "`Dot` sums over axes of equal size, found `a` 5×4 with 4 along axis 2 and `b` 4×7 with 7 along axis 2"
        );
        assert_eq!((error.help.as_str(), error.at), ("sum over axes of equal size, as with `axes=(2, 1)`", At::Argument("axes")));
        let error = on([1], operand("a", [8]), operand("b", [9])).unwrap_err();
        assert_eq!((error.help.as_str(), error.at), ("project `b` first: `b = Dense(8)(b)`", At::Inputs));
        assert_eq!(on([1], operand("a", [8, 2]), operand("b", [9])).unwrap_err().at, At::Inputs);
    }

    #[test]
    fn axes_are_one_or_two_of_the_examples() {
        let (a, b) = (operand("a", [5, 4]), operand("b", [5, 4]));
        assert_eq!(on([0], a, b).unwrap_err().message.as_str(), "axis 0 is the batch");
        assert_eq!(on([1, 3], a, b).unwrap_err().message.as_str(), "`b` has no axis 3: it is 5×4");
        assert_eq!(on([1, 3], a, b).unwrap_err().at, At::Element("axes", 1));
        let expected = "`axes` takes one axis for both tensors, or one of each; found 3";
        assert_eq!(on([1, 2, 1], a, b).unwrap_err().message.as_str(), expected);
        let error = Dot::new(Axes::new([1])).infer(&[a, b, a]).unwrap_err();
        assert_eq!(error.help.as_str(), "list them: `Dot(axes=-1)([a, b])`");
    }

    #[test]
    fn too_many_axes_are_no_tensor() {
        let error = on([1], operand("a", [2; 4]), operand("b", [2; 5])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Dot` leaves 7 axes of `a` 2×2×2×2 and `b` 2×2×2×2×2");
    }
}
