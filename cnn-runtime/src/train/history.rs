//! `History`: how the loss and the metrics went, epoch by epoch.

use std::ops::Index;

/// The loss and the metrics after each epoch of one `fit`, as Keras' `History.history`.
///
/// Its names are `loss`, those of the metrics, and with a validation set the same again with `val_` in front.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    series: Vec<(String, Vec<f64>)>,
}

impl History {
    /// The values of `name` after each epoch.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.iter().find(|(other, _)| *other == name).map(|(_, values)| values)
    }

    /// Every name with its values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.series.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// The number of epochs.
    pub fn epochs(&self) -> usize {
        self.series.first().map_or(0, |(_, values)| values.len())
    }

    /// Appends the values of one epoch.
    pub(crate) fn push(&mut self, logs: &[(String, f64)]) {
        for (name, value) in logs {
            match self.series.iter_mut().find(|(other, _)| other == name) {
                Some((_, values)) => values.push(*value),
                None => self.series.push((name.clone(), vec![*value])),
            }
        }
    }
}

/// The values of a name.
///
/// # Panics
/// If there is no such name; [`History::get`] does not.
impl Index<&str> for History {
    type Output = [f64];

    fn index(&self, name: &str) -> &[f64] {
        let names = || self.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        self.get(name).unwrap_or_else(|| panic!("no `{name}` in the history, which has {}", names()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_epochs() -> History {
        let mut history = History::default();
        history.push(&[("loss".into(), 2.), ("val_loss".into(), 2.5)]);
        history.push(&[("loss".into(), 1.), ("val_loss".into(), 1.5)]);
        history
    }

    #[test]
    fn keeps_names_in_order() {
        let history = two_epochs();
        assert_eq!(history["val_loss"], [2.5, 1.5]);
        assert_eq!(history.epochs(), 2);
        assert_eq!(history.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["loss", "val_loss"]);
        assert_eq!(history.get("accuracy"), None);
    }

    #[test]
    #[should_panic(expected = "no `acc` in the history, which has `loss`, `val_loss`")]
    fn says_which_names_there_are() {
        let _ = &two_epochs()["acc"];
    }
}
