//! Numbers, shapes and words as tables and pictures write them, and how wide they are.

use cnn_spec::{Field, Shape};

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

/// A shape, or `…` where it is not known.
pub fn shape(shape: Option<Shape>) -> String {
    shape.map_or("…".into(), |shape| shape.to_string())
}

/// A number, or `…` where it is not known.
pub fn number(number: Option<u64>) -> String {
    number.map_or("…".into(), grouped)
}

/// A receptive field: `13×13` cells of the input, or the whole of it.
pub fn field(field: Option<Field>) -> String {
    match field {
        Some(Field::Cells([height, width])) => format!("{height}×{width}"),
        Some(Field::Whole) => "whole".into(),
        None => "…".into(),
    }
}

/// `count` of what `noun` names.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Text in the place of XML's text or of an attribute's value.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The width of `text` in a sans-serif font of `size`, rather too large than too small: fonts differ.
pub fn width(text: &str, size: f64) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | '.' | ',' | ':' | '(' | ')' | ' ' => 0.38,
        'm' | 'w' | 'M' | 'W' | '×' | '→' | '…' => 0.9,
        'A'..='Z' | '_' | '=' => 0.7,
        _ => 0.61,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// As much of `text` as fits in `room`, with `…` for the rest.
pub fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.into();
    }
    let mut cut: String = text.into();
    while !cut.is_empty() && width(&cut, size) + width("…", size) > room {
        cut.pop();
    }
    cut + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 360_458, 1_000_000].map(grouped), ["0", "999", "1,000", "360,458", "1,000,000"]);
    }

    #[test]
    fn text_is_cut_to_its_room() {
        assert_eq!(fitted("Conv2D", 12., 100.), "Conv2D");
        let cut = fitted("Conv2DTranspose(512, 2, stride=2)", 12., 100.);
        assert!(cut.ends_with('…') && width(&cut, 12.) <= 100., "{cut}");
        assert_eq!(fitted("Conv2D", 12., 0.), "…");
    }
}
