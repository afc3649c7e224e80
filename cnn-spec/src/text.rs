//! A line of text that a `const fn` can write, so that errors are worded once, for the macro and for `const` evaluation.

use crate::{Dim, Shape};
use core::fmt;

/// Text of bounded length, built piece by piece in `const` context.
///
/// What does not fit in [`Text::CAPACITY`] bytes is cut, with `…` at the end.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Text::CAPACITY],
    len: usize,
    full: bool,
}

impl Text {
    /// The longest text in bytes.
    pub const CAPACITY: usize = 480;

    /// The empty text.
    pub const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0, full: false }
    }

    /// A text that starts with `piece`.
    pub const fn from(piece: &str) -> Self {
        Self::new().and(piece)
    }

    /// Appends `piece`.
    pub const fn and(mut self, piece: &str) -> Self {
        const ELLIPSIS: &str = "…";
        if self.full {
            return self;
        }
        self.full = self.len + piece.len() > Self::CAPACITY - ELLIPSIS.len();
        let piece = if self.full { ELLIPSIS } else { piece }.as_bytes();
        self.bytes.split_at_mut(self.len).1.split_at_mut(piece.len()).0.copy_from_slice(piece);
        self.len += piece.len();
        self
    }

    /// Appends a number in plain decimal.
    pub const fn num(self, mut n: usize) -> Self {
        let mut digits = [0; usize::MAX.ilog10() as usize + 1];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                break;
            }
        }
        match core::str::from_utf8(digits.split_at(first).1) {
            Ok(digits) => self.and(digits),
            Err(_) => unreachable!(),
        }
    }

    /// Appends a whole number that may be negative, with a true minus sign.
    pub const fn signed(self, n: i64) -> Self {
        let text = if n < 0 { self.and("−") } else { self };
        text.num(n.unsigned_abs() as usize)
    }

    /// Appends `numerator / denominator + 1`, rounded to hundredths when it is no whole number.
    pub const fn quotient_plus_one(self, numerator: i64, denominator: i64) -> Self {
        let sum = numerator + denominator;
        let text = if sum < 0 { self.and("−") } else { self };
        let (sum, denominator) = (sum.unsigned_abs(), denominator.unsigned_abs());
        let hundredths = (sum as u128 * 100 + denominator as u128 / 2) / denominator as u128;
        let (whole, rest) = ((hundredths / 100) as usize, (hundredths % 100) as usize);
        let text = text.num(whole);
        match rest {
            0 => text,
            _ if rest.is_multiple_of(10) => text.and(".").num(rest / 10),
            _ => text.and(".").num(rest / 10).num(rest % 10),
        }
    }

    /// Appends sizes joined by `×`, such as `3×3`.
    pub const fn sizes(self, sizes: &[usize]) -> Self {
        let mut text = self;
        let mut i = 0;
        while i < sizes.len() {
            text = if i > 0 { text.and("×") } else { text }.num(sizes[i]);
            i += 1;
        }
        text
    }

    /// Appends sizes as a tuple, such as `(3, 3)`.
    pub const fn tuple(self, sizes: &[usize]) -> Self {
        let mut text = self.and("(");
        let mut i = 0;
        while i < sizes.len() {
            text = if i > 0 { text.and(", ") } else { text }.num(sizes[i]);
            i += 1;
        }
        text.and(")")
    }

    /// Appends a dimension: its size, or `_` when it is only known at run time.
    pub const fn dim(self, dim: Dim) -> Self {
        match dim {
            Dim::Known(n) => self.num(n),
            Dim::Unknown => self.and("_"),
        }
    }

    /// Appends dimensions joined by `×`, such as `28×28×1`.
    pub const fn dims(self, dims: &[Dim]) -> Self {
        let mut text = self;
        let mut i = 0;
        while i < dims.len() {
            text = if i > 0 { text.and("×") } else { text }.dim(dims[i]);
            i += 1;
        }
        text
    }

    /// Appends the sizes of a shape as they are listed in a model, such as `28, 28, 1`.
    pub const fn list(self, shape: &Shape) -> Self {
        let mut text = self;
        let mut i = 0;
        while i < shape.rank() {
            text = if i > 0 { text.and(", ") } else { text }.dim(shape.dims()[i]);
            i += 1;
        }
        text
    }

    /// Appends a shape, such as `28×28×1`.
    pub const fn shape(self, shape: &Shape) -> Self {
        self.dims(shape.dims())
    }

    /// Appends another text.
    pub const fn text(self, other: &Text) -> Self {
        self.and(other.as_str())
    }

    /// Whether nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The text written so far.
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => unreachable!(),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_decimals_in_const_context() {
        const SUM: Text = Text::from("(7 + 2·0 − 3)/3 + 1 = ").quotient_plus_one(4, 3);
        assert_eq!(SUM.as_str(), "(7 + 2·0 − 3)/3 + 1 = 2.33");
    }

    #[test]
    fn quotients_round_to_hundredths() {
        let quotient = |n, d| Text::new().quotient_plus_one(n, d).to_string();
        assert_eq!(quotient(-3, 1), "−2");
        assert_eq!(quotient(5, 2), "3.5");
        assert_eq!(quotient(1, 16), "1.06");
        assert_eq!(quotient(-3, 2), "−0.5");
    }

    #[test]
    fn numbers_are_as_people_write_them() {
        for n in [0, 7, 10, 1_000, 360_458, usize::MAX] {
            assert_eq!(Text::new().num(n).to_string(), n.to_string());
        }
        assert_eq!(Text::new().signed(-30).to_string(), "−30");
    }

    #[test]
    fn cuts_what_does_not_fit() {
        let text = (0..200).fold(Text::new(), |text, _| text.and("abcd×"));
        assert!(text.as_str().ends_with("×…"));
        assert!(text.as_str().len() <= Text::CAPACITY);
    }
}
