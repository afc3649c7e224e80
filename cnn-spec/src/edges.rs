//! The rules of layers that change the size of images, and of sequences and volumes: padded, cropped, enlarged, resized.

use crate::layer::image_of;
use crate::{At, Dim, Inferred, Operand, Reach, ShapeError, Text, rules};

/// Each spatial axis longer by `cells` before and after.
pub(crate) const fn padded<const N: usize>(
    layer: &str,
    cells: &[[usize; 2]; N],
    inputs: &[Operand],
) -> Result<Inferred, ShapeError> {
    let input = match rules::spatial::<N>(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    let mut output = [Dim::Unknown; N];
    let mut axis = 0;
    while axis < N {
        let [before, after] = cells[axis];
        let most = if before > after { before } else { after };
        if let Err(error) = rules::at_most_the_largest(At::Element("padding", axis), "padding", most) {
            return Err(error);
        }
        if let Dim::Known(n) = input.shape.dims()[axis] {
            output[axis] = Dim::Known(n + before + after);
        }
        axis += 1;
    }
    Ok(Inferred::shape(image_of(output, input.shape.channels())))
}

/// Each spatial axis shorter by `cells` before and after.
pub(crate) const fn cropped<const N: usize>(
    layer: &str,
    cells: &[[usize; 2]; N],
    inputs: &[Operand],
) -> Result<Inferred, ShapeError> {
    let input = match rules::spatial::<N>(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    let mut output = [Dim::Unknown; N];
    let mut axis = 0;
    while axis < N {
        let [before, after] = cells[axis];
        let most = if before > after { before } else { after };
        if let Err(error) = rules::at_most_the_largest(At::Element("cropping", axis), "cropping", most) {
            return Err(error);
        }
        if let Dim::Known(n) = input.shape.dims()[axis] {
            if before + after >= n {
                return Err(nothing_left(layer, axis, n, [before, after], input));
            }
            output[axis] = Dim::Known(n - before - after);
        }
        axis += 1;
    }
    Ok(Inferred::shape(image_of(output, input.shape.channels())))
}

const fn nothing_left(layer: &str, axis: usize, n: usize, [before, after]: [usize; 2], input: &Operand) -> ShapeError {
    let message = Text::from("`").and(layer).and("` leaves nothing of `").and(input.name).and("`, ").shape(&input.shape);
    let left = n as i64 - before as i64 - after as i64;
    let note = Text::new().num(n).and(" − ").num(before).and(" − ").num(after).and(" = ").signed(left);
    let help = match n {
        0 | 1 => Text::from("leave this axis as it is, with `(0, 0)`"),
        n => {
            let text = Text::from("cut off at most ").num(n - 1).and(" cells of this axis, such as `(");
            text.num((n - 1) / 2).and(", ").num((n - 1) / 2).and(")`")
        }
    };
    ShapeError::new(At::Element("cropping", axis), message).note(note).help(help)
}

/// Each spatial axis `times` as long.
pub(crate) const fn enlarged<const N: usize>(layer: &str, times: [usize; N], inputs: &[Operand]) -> Result<Inferred, ShapeError> {
    let input = match rules::spatial::<N>(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    if let Err(error) = rules::each_size("size", &times) {
        return Err(error);
    }
    let mut output = [Dim::Unknown; N];
    let mut axis = 0;
    while axis < N {
        if let Dim::Known(n) = input.shape.dims()[axis] {
            output[axis] = Dim::Known(n.saturating_mul(times[axis]));
        }
        axis += 1;
    }
    Ok(Inferred::shape(image_of(output, input.shape.channels())))
}

/// An image of this height and width, whatever the input's.
pub(crate) const fn resized(layer: &str, [height, width]: [usize; 2], inputs: &[Operand]) -> Result<Inferred, ShapeError> {
    let input = match rules::image(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    if let Err(error) = rules::size("height", height) {
        return Err(error);
    }
    if let Err(error) = rules::size("width", width) {
        return Err(error);
    }
    let shape = image_of([Dim::Known(height), Dim::Known(width)], input.shape.channels());
    Ok(Inferred::shape(shape).reach(Reach::Whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cropping1D, Cropping2D, Resizing, Shape, UpSampling3D, ZeroPadding1D, ZeroPadding2D};

    const IMAGE: [Operand; 1] = [Operand::new("i", Shape::new([8, 8, 4]))];

    fn shape(inferred: Result<Inferred, ShapeError>) -> Shape {
        inferred.unwrap().shape
    }

    #[test]
    fn padding_adds_and_cropping_takes_away() {
        assert_eq!(shape(ZeroPadding2D::new().padding([[1, 2], [0, 3]]).infer(&IMAGE)), Shape::new([11, 11, 4]));
        assert_eq!(shape(Cropping2D::new().cropping([[1, 2], [0, 3]]).infer(&IMAGE)), Shape::new([5, 5, 4]));
        let steps = [Operand::new("x", Shape::of(&[Dim::Unknown, Dim::Known(4)]))];
        assert_eq!(shape(ZeroPadding1D::new().infer(&steps)), steps[0].shape);
        assert_eq!(shape(Cropping1D::new().infer(&steps)), steps[0].shape);
        assert!(ZeroPadding2D::new().padding([[usize::MAX, 0], [0, 0]]).infer(&IMAGE).is_err());
    }

    #[test]
    fn cropping_everything_shows_the_sum() {
        let error = Cropping2D::new().cropping([[4, 4], [4, 4]]).infer(&IMAGE).unwrap_err();
        assert_eq!(error.message.as_str(), "`Cropping2D` leaves nothing of `i`, 8×8×4");
        assert_eq!((error.note.as_str(), error.at), ("8 − 4 − 4 = 0", At::Element("cropping", 0)));
        assert_eq!(error.help.as_str(), "cut off at most 7 cells of this axis, such as `(3, 3)`");
        let error = Cropping2D::new().cropping([[0, 0], [5, 6]]).infer(&IMAGE).unwrap_err();
        assert_eq!((error.note.as_str(), error.at), ("8 − 5 − 6 = −3", At::Element("cropping", 1)));
    }

    #[test]
    fn sizes_multiply_or_are_given() {
        let volume = [Operand::new("v", Shape::new([2, 3, 4, 5]))];
        assert_eq!(shape(UpSampling3D::new().size([1, 2, 3]).infer(&volume)), Shape::new([2, 6, 12, 5]));
        assert!(UpSampling3D::new().size([1, 0, 3]).infer(&volume).is_err());
        assert_eq!(shape(Resizing::new(5, 6).infer(&IMAGE)), Shape::new([5, 6, 4]));
        assert!(Resizing::new(5, 0).infer(&IMAGE).is_err());
    }
}
