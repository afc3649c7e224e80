//! Checking in `const` evaluation: what the compiler finds out about a layer whose sizes the macro could not know.
//!
//! `model!` emits a [`Checked`] for each such layer, and for each one a constant that calls [`refuse`] on the tokens to
//! blame. A broken layer poisons what depends on it without a word: one mistake, one error.

use crate::{At, Inferred, Layer, Operand, Shape, ShapeError, Text};

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

impl ShapeError {
    /// Whether `argument`, or an element of it, is to blame.
    pub const fn is_about(&self, argument: &str) -> bool {
        matches!(self.at, At::Argument(name) | At::Element(name, _) if is_same(name, argument))
    }

    /// Whether element `index` of `argument` is to blame.
    pub const fn is_about_element(&self, argument: &str, index: usize) -> bool {
        matches!(self.at, At::Element(name, element) if element == index && is_same(name, argument))
    }

    /// Whether the tensor that comes `index`-th is to blame.
    pub const fn is_about_input(&self, index: usize) -> bool {
        matches!(self.at, At::Input(input) if input == index)
    }

    /// Whether the shape that the source states is to blame.
    pub const fn is_about_the_statement(&self) -> bool {
        matches!(self.at, At::Stated)
    }

    /// Whether the tensors as a whole are to blame.
    pub const fn is_about_inputs(&self) -> bool {
        matches!(self.at, At::Inputs)
    }

    /// The same error with the layers and shapes on the way to where it is, if it is about a size that came that way.
    pub const fn after(mut self, way: &[(&str, Option<Shape>)]) -> Self {
        if !matches!(self.at, At::Element(..) | At::Stated) || way.len() < 2 && !self.note.is_empty() {
            return self;
        }
        self.note = if self.note.is_empty() { self.note } else { self.note.and(", ") }.and("after ");
        let mut i = 0;
        while i < way.len() {
            let (layer, shape) = way[i];
            self.note = if i > 0 { self.note.and(" → ") } else { self.note }.and(layer);
            if let Some(shape) = &shape {
                self.note = self.note.and(" ").shape(shape);
            }
            i += 1;
        }
        self
    }
}

impl Inferred {
    /// That a layer called `layer`, which has its weights from `first`, would have the same ones from `here`.
    ///
    /// # Errors
    /// If it would not.
    pub const fn shares_weights(&self, first: &Self, layer: &str, from: &Operand, here: &Operand) -> Result<(), ShapeError> {
        let (before, now) = (first.parameters.as_slice(), self.parameters.as_slice());
        let mut note = Text::new();
        let mut i = 0;
        while i < before.len() && i < now.len() {
            if !is_equal(before[i].dims(), now[i].dims()) {
                note = Text::from("`").and(from.name).and("` made its `").and(before[i].name).and("` ").sizes(before[i].dims());
                note = note.and(", here it would be ").sizes(now[i].dims());
                break;
            }
            i += 1;
        }
        if before.len() == now.len() && i == before.len() {
            return Ok(());
        }
        let message = Text::from("this `").and(layer).and("` has its weights from `").and(from.name).and("` ").shape(&from.shape);
        let message = message.and("; `").and(here.name).and("` is ").shape(&here.shape);
        let help = Text::from("give `").and(here.name).and("` a layer of its own: `").and(layer).and("(…)(").and(here.name);
        let help = help.and(")`");
        Err(ShapeError::new(At::Inputs, message).note(note).help(help))
    }
}

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

impl Shape {
    /// Whether `other` has these sizes; an open one here may be any.
    pub const fn admits(&self, other: &Self) -> bool {
        let (sizes, found) = (self.dims(), other.dims());
        if sizes.len() != found.len() {
            return false;
        }
        let mut i = 0;
        while i < sizes.len() {
            match (sizes[i].known(), found[i].known()) {
                (Some(size), Some(found)) if size == found => {}
                (None, _) => {}
                _ => return false,
            }
            i += 1;
        }
        true
    }
}

const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

const fn is_equal(a: &[usize], b: &[usize]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
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
    use crate::{Conv2D, Dim, Input};

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
        refuse(&BROKEN.error().unwrap().after(&way), "in `block(3)`");
    }

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

    #[test]
    fn a_layer_applied_twice_needs_the_same_weights() {
        let layer = Layer::Conv2D(Conv2D::new(4, [3, 3]));
        let on = |shape: [usize; 3]| Checked::of(&layer, [("a", Some(Shape::new(shape)))]);
        let first = ("a", Some(Shape::new([8, 8, 3])), on([8, 8, 3]));
        let again = |shape: [usize; 3]| on(shape).sharing("Conv2D", first, ("b", Some(Shape::new(shape))));
        assert!(again([6, 6, 3]).error().is_none());
        let error = *again([8, 8, 4]).error().unwrap();
        assert_eq!(error.message.as_str(), "this `Conv2D` has its weights from `a` 8×8×3; `b` is 8×8×4");
        assert_eq!(error.note.as_str(), "`a` made its `weight` 4×3×3×3, here it would be 4×4×3×3");
    }
}
