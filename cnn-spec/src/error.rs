//! What a broken rule says: where the blame lies, what is wrong, the facts, and a fix.

use crate::{Shape, Text};
use core::fmt;

/// Which part of a layer call an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The layer as a whole.
    Layer,
    /// The value of one argument.
    Argument(&'static str),
    /// One element of an argument that has a value for each axis.
    Element(&'static str, usize),
    /// One of the tensors the layer is applied to.
    Input(usize),
    /// All the tensors the layer is applied to.
    Inputs,
    /// The shape that the source states of its output.
    Stated,
}

/// A rule of a layer that its arguments or inputs break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// Where the blame lies.
    pub at: At,
    /// What is wrong, in one line: lowercase, no full stop.
    pub message: Text,
    /// The facts and the sum; may be empty.
    pub note: Text,
    /// One fix that works; may be empty.
    pub help: Text,
}

impl ShapeError {
    /// An error with a message alone.
    pub const fn new(at: At, message: Text) -> Self {
        Self { at, message, note: Text::new(), help: Text::new() }
    }

    /// Adds the facts.
    pub const fn note(mut self, note: Text) -> Self {
        self.note = note;
        self
    }

    /// Adds the fix.
    pub const fn help(mut self, help: Text) -> Self {
        self.help = help;
        self
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

    /// The same error with the layers and shapes on the way to the tensor that is called `tensor`, if that is what it is
    /// about, or what is stated there.
    pub const fn after(mut self, tensor: &str, way: &[(&str, Option<Shape>)]) -> Self {
        let is_stated = self.is_about_the_statement();
        let is_short = way.len() < 2 && !(is_stated && self.note.is_empty());
        if is_short || !(is_stated || mentions(self.message.as_str(), tensor)) {
            return self;
        }
        let separator = if matches!(self.at, At::Element(..) | At::Stated) { ", " } else { "; " };
        self.note = if self.note.is_empty() { self.note } else { self.note.and(separator) }.and("after ").way(way);
        self
    }
}

impl Text {
    /// Appends the layers of a way with the shapes they give: `Input 28×28×1 → Conv2D 26×26×8`.
    pub const fn way(mut self, way: &[(&str, Option<Shape>)]) -> Self {
        let mut i = 0;
        while i < way.len() {
            let (layer, shape) = way[i];
            self = if i > 0 { self.and(" → ") } else { self }.and(layer);
            if let Some(shape) = &shape {
                self = self.and(" ").shape(shape);
            }
            i += 1;
        }
        self
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if !self.note.is_empty() {
            write!(f, "\n  note: {}", self.note)?;
        }
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for ShapeError {}

/// Whether `text` speaks of `name`, in backticks.
const fn mentions(text: &str, name: &str) -> bool {
    let (text, name) = (text.as_bytes(), name.as_bytes());
    let mut start = 1;
    while start + name.len() < text.len() {
        let mut i = 0;
        while i < name.len() && text[start + i] == name[i] {
            i += 1;
        }
        if i == name.len() && text[start - 1] == b'`' && text[start + i] == b'`' && i > 0 {
            return true;
        }
        start += 1;
    }
    false
}

pub(crate) const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_told_of_the_tensor_that_is_meant() {
        let way = [("Input", Some(Shape::new([28, 28, 1]))), ("…", None)];
        let error = ShapeError::new(At::Layer, Text::from("`x` is too small for `xs`"));
        assert_eq!(error.after("x", &way).note.as_str(), "after Input 28×28×1 → …");
        assert_eq!(error.note(Text::from("3 − 5")).after("xs", &way).note.as_str(), "3 − 5; after Input 28×28×1 → …");
        for other in ["s", "", "small", "y"] {
            assert_eq!(error.after(other, &way), error, "{other}");
        }
        assert_eq!(error.after("x", &way[..1]), error);
    }
}
