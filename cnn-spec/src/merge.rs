//! The rules of merging layers: how many tensors they take, and which shapes may meet. None of them broadcasts.

use crate::{At, Dim, Inferred, Operand, Shape, ShapeError, Text};

/// The shape of tensors that are merged element by element, which must all have the same.
pub(crate) const fn elementwise(layer: &str, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
    if let Err(error) = several(layer, inputs) {
        return Err(error);
    }
    let mut shape = inputs[0].shape;
    let mut i = 1;
    while i < inputs.len() {
        shape = match common(&shape, &inputs[i].shape, None) {
            Some(shape) => shape,
            None => return Err(different(layer, &Operand::new(inputs[0].name, shape), &inputs[i])),
        };
        i += 1;
    }
    Ok(Inferred::shape(shape))
}

/// That a layer is given at least two tensors.
pub(crate) const fn several(layer: &str, inputs: &[Operand]) -> Result<(), ShapeError> {
    if inputs.len() >= 2 {
        return Ok(());
    }
    let message = Text::from("`").and(layer).and("` takes at least two tensors, found ").num(inputs.len());
    Err(ShapeError::new(At::Inputs, message).help(Text::from("list them: `").and(layer).and("()([a, b])`")))
}

/// That a layer is given exactly two tensors; `example` is how it is called, such as `Subtract()`.
pub(crate) const fn two(layer: &str, example: &str, inputs: &[Operand]) -> Result<(), ShapeError> {
    if inputs.len() == 2 {
        return Ok(());
    }
    let message = Text::from("`").and(layer).and("` takes two tensors, found ").num(inputs.len());
    Err(ShapeError::new(At::Inputs, message).help(Text::from("list them: `").and(example).and("([a, b])`")))
}

/// The shape that `a` and `b` have in common but for axis `except`, or `None` if they differ. A size known only at run
/// time may turn out to be any.
pub(crate) const fn common(a: &Shape, b: &Shape, except: Option<usize>) -> Option<Shape> {
    if a.rank() != b.rank() {
        return None;
    }
    let mut dims = [Dim::Unknown; Shape::MAX_RANK];
    let mut axis = 0;
    while axis < a.rank() {
        let is_excepted = matches!(except, Some(excepted) if excepted == axis);
        dims[axis] = match (a.dims()[axis], b.dims()[axis]) {
            (a, _) if is_excepted => a,
            (Dim::Known(a), Dim::Known(b)) if a != b => return None,
            (Dim::Unknown, b) => b,
            (a, _) => a,
        };
        axis += 1;
    }
    Some(Shape::of(dims.split_at(a.rank()).0))
}

const fn different(layer: &str, a: &Operand, b: &Operand) -> ShapeError {
    let message = Text::from("`").and(layer).and("` needs equal shapes, found ");
    let error = ShapeError::new(At::Inputs, pair(message, a, b)).help(help(a, b));
    if broadcasts(&a.shape, &b.shape) {
        return error.note(Text::from("a size of 1 is not repeated silently"));
    }
    error
}

/// `` `a` 14×14×32 and `b` 14×14×64 ``.
pub(crate) const fn pair(text: Text, a: &Operand, b: &Operand) -> Text {
    text.and("`").and(a.name).and("` ").shape(&a.shape).and(" and `").and(b.name).and("` ").shape(&b.shape)
}

/// Whether NumPy would repeat one of them to the size of the other.
const fn broadcasts(a: &Shape, b: &Shape) -> bool {
    let mut axis = 0;
    while axis < a.rank() && axis < b.rank() {
        match (a.dims()[axis], b.dims()[axis]) {
            (Dim::Known(1), Dim::Known(n)) | (Dim::Known(n), Dim::Known(1)) if n != 1 => return true,
            _ => axis += 1,
        }
    }
    false
}

/// What makes `b` as large as `a`, or `a` as large as `b` where it is the larger image.
const fn help(a: &Operand, b: &Operand) -> Text {
    let ([height, width, channels], [other_height, other_width, other_channels]) = (a.shape.dims(), b.shape.dims()) else {
        return match (a.shape.rank(), b.shape.rank()) {
            (1, 1) => project_vector(a, b),
            (3, 1) => Text::from("make `").and(a.name).and("` a vector first, as with `GlobalAveragePooling2D()`"),
            (1, 3) => Text::from("make `").and(b.name).and("` a vector first, as with `GlobalAveragePooling2D()`"),
            _ => Text::from("merge tensors of the same shape"),
        };
    };
    if same(*height, *other_height) && same(*width, *other_width) {
        return projection(b, *channels, 1);
    }
    if halves(*other_height, *height) && halves(*other_width, *width) {
        return projection(b, *channels, 2);
    }
    if halves(*height, *other_height) && halves(*width, *other_width) {
        return projection(a, *other_channels, 2);
    }
    Text::from("keep height and width with `padding=same` on the way to the smaller one")
}

/// `` project `b` first: `b = Conv2D(32, 1, stride=2)(b)` ``.
const fn projection(of: &Operand, channels: Dim, stride: usize) -> Text {
    let text = Text::from("project `").and(of.name).and("` first, with a 1×1 convolution: `").and(of.name);
    let text = text.and(" = Conv2D(").dim(channels).and(", 1");
    let text = if stride == 1 { text } else { text.and(", stride=").num(stride) };
    text.and(")(").and(of.name).and(")`")
}

/// `` project `b` first: `b = Dense(32)(b)` ``.
pub(crate) const fn project_vector(a: &Operand, b: &Operand) -> Text {
    let text = Text::from("project `").and(b.name).and("` first: `").and(b.name).and(" = Dense(");
    text.dim(a.shape.channels()).and(")(").and(b.name).and(")`")
}

const fn same(a: Dim, b: Dim) -> bool {
    match (a, b) {
        (Dim::Known(a), Dim::Known(b)) => a == b,
        _ => true,
    }
}

/// Whether stride 2 takes `large` to `small`.
const fn halves(large: Dim, small: Dim) -> bool {
    match (large, small) {
        (Dim::Known(large), Dim::Known(small)) => large > small && large.div_ceil(2) == small,
        _ => true,
    }
}

/// Where an axis counted as Keras does, with the batch as axis 0 and negative ones from the end, lies in `shape`.
pub(crate) const fn axis(layer: &str, argument: &'static str, axis: isize, of: &Operand) -> Result<usize, ShapeError> {
    let rank = of.shape.rank() as isize;
    if axis >= 1 && axis <= rank {
        return Ok(axis as usize - 1);
    }
    if axis < 0 && axis >= -rank {
        return Ok((axis + rank) as usize);
    }
    let message = Text::from("`").and(layer).and("` has no axis ").signed(axis as i64).and(" to merge along; `").and(of.name);
    let message = message.and("` is ").shape(&of.shape);
    let note = if axis == 0 || axis == -rank - 1 { "that is the batch" } else { "axis 0 is the batch, −1 the last" };
    let help = Text::from("use an axis from 1 to ").num(of.shape.rank()).and(", or `-1` for the channels");
    Err(ShapeError::new(At::Argument(argument), message).note(Text::from(note)).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn image(name: &'static str, height: usize, width: usize, channels: usize) -> Operand<'static> {
        Operand::new(name, Shape::new([height, width, channels]))
    }

    fn error(inputs: &[Operand]) -> ShapeError {
        elementwise("Add", inputs).unwrap_err()
    }

    #[test]
    fn equal_shapes_stay() {
        let three = [image("a", 4, 5, 2), image("b", 4, 5, 2), image("c", 4, 5, 2)];
        assert_eq!(elementwise("Add", &three).unwrap().shape, Shape::new([4, 5, 2]));
        let unknown = Operand::new("u", Shape::of(&[Dim::Unknown, 5.into(), Dim::Unknown]));
        assert_eq!(elementwise("Add", &[unknown, three[0]]).unwrap().shape, Shape::new([4, 5, 2]));
    }

    #[test]
    fn other_channels_are_projected() {
        let error = error(&[image("a", 14, 14, 32), image("b", 14, 14, 64)]);
        assert_eq!(error.message.as_str(), "`Add` needs equal shapes, found `a` 14×14×32 and `b` 14×14×64");
        assert_eq!(error.help.as_str(), "project `b` first, with a 1×1 convolution: `b = Conv2D(32, 1)(b)`");
        assert_eq!((error.at, error.note.as_str()), (At::Inputs, ""));
    }

    #[test]
    fn half_an_image_asks_for_a_stride() {
        let help = "project `x` first, with a 1×1 convolution: `x = Conv2D(128, 1, stride=2)(x)`";
        assert_eq!(error(&[image("y", 28, 28, 128), image("x", 56, 56, 64)]).help.as_str(), help);
        assert_eq!(error(&[image("x", 55, 55, 64), image("y", 28, 28, 128)]).help.as_str(), help);
        assert!(error(&[image("x", 28, 28, 64), image("y", 26, 26, 64)]).help.as_str().contains("`padding=same`"));
    }

    #[test]
    fn nothing_is_broadcast() {
        let error = error(&[image("i", 28, 28, 8), image("a", 28, 28, 1)]);
        assert_eq!(error.note.as_str(), "a size of 1 is not repeated silently");
    }

    #[test]
    fn two_tensors_at_least() {
        let error = error(&[image("i", 28, 28, 8)]);
        assert_eq!(error.message.as_str(), "`Add` takes at least two tensors, found 1");
    }
}
