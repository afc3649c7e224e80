//! What a broken rule says: where the blame lies, what is wrong, the facts, and a fix.

use crate::Text;
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
