//! What a layer that is applied several times needs: the same weights from every tensor.

use crate::{At, Inferred, Operand, ShapeError, Text};

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

/// Whether these are the same sizes.
pub(crate) const fn is_equal(a: &[usize], b: &[usize]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

#[cfg(test)]
mod tests {
    use crate::{Checked, Conv2D, Layer, Shape};

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
