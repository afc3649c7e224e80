//! Shapes that the source states of its tensors, `x: [13, 13, 32] = …`, and asks for, `x: _ = …`.

use crate::{At, Inferred, Shape, ShapeError, Text};

impl Inferred {
    /// That the output, bound to `tensor`, has the shape that is `stated` of it, where an open size may be any; if none is,
    /// that is a question, and the error answers it.
    ///
    /// # Errors
    /// If it has another, or is asked for.
    pub const fn is_stated(&self, tensor: &str, stated: Option<&Shape>) -> Result<(), ShapeError> {
        let text = Text::from("`").and(tensor);
        let Some(stated) = stated else {
            let help = Text::from("write `").and(tensor).and(": [").list(&self.shape).and("]`, or leave the question out");
            return Err(ShapeError::new(At::Stated, text.and("` is ").shape(&self.shape)).note(self.sum).help(help));
        };
        if stated.admits(&self.shape) {
            return Ok(());
        }
        let message = text.and("` is stated to be ").shape(stated).and(", and is ").shape(&self.shape);
        let help = Text::from("state `[").list(&self.shape).and("]`, or change the layer");
        Err(ShapeError::new(At::Stated, message).note(self.sum).help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2D, Dim, Layer, Operand};

    #[test]
    fn a_stated_shape_is_verified_and_an_open_one_told() {
        let layer = Layer::Conv2D(Conv2D::new(32, [3, 3]).strides([2, 2]));
        let inferred = layer.infer(&[Operand::new("i", Shape::new([28, 28, 1]))]).unwrap();
        let is = |stated: Shape| inferred.is_stated("x", Some(&stated));
        assert!(is(Shape::new([13, 13, 32])).is_ok());
        assert!(is(Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(32)])).is_ok());
        assert!(is(Shape::new([13])).is_err());
        let error = is(Shape::new([14, 14, 32])).unwrap_err();
        assert_eq!(error.message.as_str(), "`x` is stated to be 14×14×32, and is 13×13×32");
        assert_eq!(error.note.as_str(), "(28 + 2·0 − 3)/2 + 1 = 13.5 rounded down");
        assert_eq!(error.help.as_str(), "state `[13, 13, 32]`, or change the layer");
        let answer = inferred.is_stated("x", None).unwrap_err();
        assert_eq!(answer.message.as_str(), "`x` is 13×13×32");
        assert_eq!(answer.at, At::Stated);
    }
}
