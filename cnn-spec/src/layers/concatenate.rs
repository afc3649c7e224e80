//! `Concatenate`: tensors side by side along one axis.

use crate::layer::layer;
use crate::{At, Dim, Inferred, Operand, Shape, ShapeError, Text, merge};

layer! {
    /// Tensors one after the other along an axis, as Keras' `Concatenate`: the maps of all branches in one image.
    Concatenate "concatenate" {
        ;
        /// The axis that grows, counted as Keras does: the batch is 0, the channels are −1.
        axis: isize = -1,
    }
}

impl Concatenate {
    /// `H, W, C₁` and `H, W, C₂` to `H, W, C₁ + C₂`, or likewise along another axis.
    ///
    /// # Errors
    /// If there are fewer than two tensors, if there is no such axis, or if they differ along another one.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        if let Err(error) = merge::several(Self::NAME, inputs) {
            return Err(error);
        }
        let axis = match self.place(&inputs[0]) {
            Ok(axis) => axis,
            Err(error) => return Err(error),
        };
        let mut shape = inputs[0].shape;
        let mut sum = shape.dims()[axis];
        let mut i = 1;
        while i < inputs.len() {
            shape = match merge::common(&shape, &inputs[i].shape, Some(axis)) {
                Some(shape) => shape,
                None => return Err(different(axis, &inputs[0], &inputs[i])),
            };
            sum = match (sum, inputs[i].shape.dims()[axis]) {
                (Dim::Known(a), Dim::Known(b)) => Dim::Known(a.saturating_add(b)),
                _ => Dim::Unknown,
            };
            i += 1;
        }
        Ok(Inferred::shape(with(&shape, axis, sum)))
    }

    /// Where the axis lies in the shape of `input`, which has no batch.
    ///
    /// # Errors
    /// If `input` has no such axis.
    pub const fn place(&self, input: &Operand) -> Result<usize, ShapeError> {
        merge::axis(Self::NAME, "axis", self.axis, input)
    }
}

/// `shape` with another size of `axis`.
const fn with(shape: &Shape, axis: usize, size: Dim) -> Shape {
    let mut dims = [Dim::Unknown; Shape::MAX_RANK];
    let mut i = 0;
    while i < shape.rank() {
        dims[i] = if i == axis { size } else { shape.dims()[i] };
        i += 1;
    }
    Shape::of(dims.split_at(shape.rank()).0)
}

const fn different(axis: usize, a: &Operand, b: &Operand) -> ShapeError {
    let is_image = a.shape.rank() == 3 && b.shape.rank() == 3;
    let message = if a.shape.rank() != b.shape.rank() {
        Text::from("`Concatenate` needs tensors of as many axes; found ")
    } else if is_image && axis == 2 {
        Text::from("`Concatenate` needs equal heights and widths, only channels may differ; found ")
    } else {
        Text::from("`Concatenate` needs equal sizes but along axis ").num(axis + 1).and("; found ")
    };
    let help = if a.shape.rank() != b.shape.rank() {
        Text::from("concatenate tensors with as many axes, as after `Flatten()` of each")
    } else if is_image {
        Text::from("keep height and width with `padding=same` and equal strides in every branch")
    } else {
        Text::from("concatenate tensors that differ along one axis alone")
    };
    ShapeError::new(At::Inputs, merge::pair(message, a, b)).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Operand = Operand::new("a", Shape::new([28, 28, 16]));

    #[test]
    fn channels_add_up() {
        let infer = |axis, inputs: &[Operand]| Concatenate::new().axis(axis).infer(inputs).map(|inferred| inferred.shape);
        let b = Operand::new("b", Shape::new([28, 28, 8]));
        assert_eq!(infer(-1, &[A, b, A]), Ok(Shape::new([28, 28, 40])));
        assert_eq!(infer(3, &[A, b]), Ok(Shape::new([28, 28, 24])));
        assert_eq!(infer(1, &[A, A]), Ok(Shape::new([56, 28, 16])));
        let unknown = Operand::new("u", Shape::of(&[Dim::Unknown, 28.into(), 8.into()]));
        assert_eq!(infer(-1, &[unknown, A]), Ok(Shape::new([28, 28, 24])));
        assert_eq!(infer(1, &[unknown, unknown]), Ok(unknown.shape));
    }

    #[test]
    fn only_channels_may_differ() {
        let b = Operand::new("b", Shape::new([26, 26, 16]));
        let error = Concatenate::new().infer(&[A, b]).unwrap_err();
        let expected =
            "`Concatenate` needs equal heights and widths, only channels may differ; found `a` 28×28×16 and `b` 26×26×16";
        assert_eq!(error.message.as_str(), expected);
        assert!(error.help.as_str().contains("`padding=same`"));
    }

    #[test]
    fn axes_are_those_of_the_example() {
        let error = |axis| Concatenate::new().axis(axis).infer(&[A, A]).unwrap_err();
        assert_eq!(error(0).note.as_str(), "that is the batch");
        assert_eq!(error(4).message.as_str(), "`Concatenate` has no axis 4 to merge along; `a` is 28×28×16");
        assert_eq!(error(-5).at, At::Argument("axis"));
    }
}
