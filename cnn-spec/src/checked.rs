//! Checking in `const` evaluation: what the compiler finds out about a layer whose sizes the macro could not know.
//!
//! `model!` emits a [`Checked`] for each such layer, and for each one a constant that calls [`refuse`] on the tokens to
//! blame. A broken layer poisons what depends on it without a word: one mistake, one error.

use crate::{Inferred, Layer, Operand, Shape, ShapeError, Text};

/// One application of a layer, checked.
// Constant evaluation has no boxes.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Checked {
    /// It keeps every rule.
    Sound(Inferred),
    /// It breaks one.
    Broken(ShapeError),
    /// Something before it is broken, and reported there.
    Poisoned,
}

impl Checked {
    /// Checks `layer`, applied to tensors by these names; a shape is `None` where something before it is broken.
    pub const fn of<const N: usize>(layer: &Layer, inputs: [(&str, Option<Shape>); N]) -> Self {
        let Some(operands) = Self::operands(inputs) else { return Self::Poisoned };
        match layer.infer(&operands) {
            Ok(inferred) => Self::Sound(inferred),
            Err(error) => Self::Broken(error),
        }
    }

    /// The same, for a layer called `layer` that has been applied to `first` before, which gave it its weights.
    pub const fn sharing(self, layer: &str, first: (&str, Option<Shape>, Self), here: (&str, Option<Shape>)) -> Self {
        let ((Self::Sound(earlier), Some(first_shape)), (Self::Sound(now), Some(shape))) = ((first.2, first.1), (self, here.1))
        else {
            return self;
        };
        match now.shares_weights(&earlier, layer, &Operand::new(first.0, first_shape), &Operand::new(here.0, shape)) {
            Ok(()) => self,
            Err(error) => Self::Broken(error),
        }
    }

    /// The same, where the source says that the output has the shape `stated`, or asks what it is.
    pub const fn stated(self, tensor: &str, stated: Option<&Shape>) -> Self {
        let Self::Sound(inferred) = self else { return self };
        match inferred.is_stated(tensor, stated) {
            Ok(()) => self,
            Err(error) => Self::Broken(error),
        }
    }

    /// The shape of its output, unless it or something before it is broken.
    pub const fn shape(&self) -> Option<Shape> {
        match self {
            Self::Sound(inferred) => Some(inferred.shape),
            _ => None,
        }
    }

    /// The shape of its output, without axes if it is broken.
    pub const fn shape_or_none(&self) -> Shape {
        match self {
            Self::Sound(inferred) => inferred.shape,
            _ => Shape::of(&[]),
        }
    }

    /// The rule it breaks, if it does.
    pub const fn error(&self) -> Option<&ShapeError> {
        match self {
            Self::Broken(error) => Some(error),
            _ => None,
        }
    }
}

/// Stops the build with an error on the caller's tokens; `place` says where it happens when these alone do not.
///
/// # Panics
/// Always.
#[track_caller]
pub const fn refuse(error: &ShapeError, place: &str) -> ! {
    let mut lines = Lines { bytes: [0; Lines::CAPACITY], len: 0 };
    lines.add("", error.message.as_str());
    lines.add("\n  note: ", error.note.as_str());
    lines.add("\n  note: ", place);
    lines.add("\n  help: ", error.help.as_str());
    match core::str::from_utf8(lines.bytes.split_at(lines.len).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => unreachable!(),
    }
}

/// The lines of one error.
struct Lines {
    bytes: [u8; Lines::CAPACITY],
    len: usize,
}

impl Lines {
    const CAPACITY: usize = 4 * (Text::CAPACITY + 16);

    /// Adds a line, unless it says nothing or does not fit.
    const fn add(&mut self, start: &str, text: &str) {
        if text.is_empty() || self.len + start.len() + text.len() > Self::CAPACITY {
            return;
        }
        let mut i = 0;
        while i < start.len() {
            self.bytes[self.len] = start.as_bytes()[i];
            self.len += 1;
            i += 1;
        }
        let mut i = 0;
        while i < text.len() {
            self.bytes[self.len] = text.as_bytes()[i];
            self.len += 1;
            i += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2D, Input};

    const IMAGE: Checked = Checked::of(&Layer::Input(Input::new(Shape::new([28, 28, 1]))), []);
    const CONV: Layer = Layer::Conv2D(Conv2D::new(32, [3, 30]));
    const BROKEN: Checked = Checked::of(&CONV, [("i", IMAGE.shape())]);
    const AFTER: Checked = Checked::of(&CONV, [("x", BROKEN.shape())]);

    #[test]
    fn one_mistake_is_one_error() {
        assert_eq!(IMAGE.shape(), Some(Shape::new([28, 28, 1])));
        let error = BROKEN.error().unwrap();
        assert!(error.is_about("kernel_size") && !error.is_about("kernel"));
        assert!(error.is_about_element("kernel_size", 1) && !error.is_about_element("kernel_size", 0));
        assert!(AFTER.error().is_none() && AFTER.shape().is_none());
    }

    #[test]
    #[should_panic(
        expected = "kernel 3×30 does not fit the 28×28 image `i`\n  note: (28 + 2·0 − 30)/1 + 1 = −1, after Input 28×28×1 → Conv2D 3×3×8\n  note: in `block(3)`\n  help: "
    )]
    fn an_error_has_all_its_lines() {
        let way = [("Input", Some(Shape::new([28, 28, 1]))), ("Conv2D", Some(Shape::new([3, 3, 8])))];
        refuse(&BROKEN.error().unwrap().after("i", &way), "in `block(3)`");
    }
}
