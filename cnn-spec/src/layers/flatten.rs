//! `Flatten`: an image becomes a vector.

use crate::layer::layer;
use crate::{At, Inferred, Operand, Reach, Shape, ShapeError, Text, rules};

layer! {
    /// All elements of an example in one vector, in Keras' order: row by row, channels innermost.
    Flatten "flatten" {
        ;
    }
}

impl Flatten {
    /// `H, W, C` to `H·W·C`.
    ///
    /// # Errors
    /// If a size is unknown, or if there are more elements than any layer can take.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if !input.shape.is_known() {
            let message =
                Text::from("`Flatten` needs sizes known while compiling; `").and(input.name).and("` is ").shape(&input.shape);
            let note = Text::from("a size written `_` is unknown until run time, and so would be the length of the vector");
            let help = Text::from("use `GlobalMaxPooling2D()`, which gives one value for each channel whatever the size");
            return Err(ShapeError::new(At::Layer, message).note(note).help(help));
        }
        match input.shape.elements() {
            Some(elements) if elements <= Shape::MAX_SIZE => Ok(Inferred::shape(Shape::new([elements])).reach(Reach::Whole)),
            _ => {
                let message =
                    Text::from("`Flatten` of ").shape(&input.shape).and(" gives more than ").num(Shape::MAX_SIZE).and(" values");
                Err(ShapeError::new(At::Layer, message).help(Text::from("pool before it, as with `GlobalMaxPooling2D()`")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dim;

    #[test]
    fn multiplies_what_it_knows() {
        let on = |shape| Flatten::new().infer(&[Operand::new("x", shape)]);
        assert_eq!(on(Shape::new([4, 4, 25])).unwrap().shape, Shape::new([400]));
        assert_eq!(on(Shape::new([7])).unwrap().shape, Shape::new([7]));
        let error = on(Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(8)])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Flatten` needs sizes known while compiling; `x` is _×_×8");
        assert!(on(Shape::new([Shape::MAX_SIZE, Shape::MAX_SIZE, Shape::MAX_SIZE])).is_err());
    }
}
