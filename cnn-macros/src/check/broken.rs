//! What is said when a call breaks a rule of its layer: how the shapes came about, and what else is wrong with it.

use super::blame::blamed;
use super::{Checker, Held, Value};
use crate::graph::Described;
use crate::report::Problem;
use crate::way;
use cnn_spec as spec;
use spec::{At, Kind, Layer, ShapeError};

impl Checker<'_> {
    /// Reports what would still be wrong with a call if the argument that `error` blames were right, and so on.
    ///
    /// A rule that the argument has a part in may be broken by any value put in its place; what is reported is wrong with each
    /// of several, in the same words.
    pub(super) fn also_broken(&mut self, held: &Held, operands: &[(String, Value)], error: ShapeError) {
        let kind = held.call.layer.to_string();
        let Some(table) = Layer::arguments(&kind) else { return };
        let mut tries = vec![self.values(table, &held.read.filled)];
        let (mut error, mut seen) = (error, Vec::new());
        loop {
            let (At::Argument(name) | At::Element(name, _)) = error.at else { return };
            let Some(place) = table.iter().position(|argument| argument.name == name) else { return };
            if seen.contains(&place) {
                return;
            }
            seen.push(place);
            tries = tries.iter().flat_map(|values| mended(values, place, &table[place])).take(MOST_TRIES).collect();
            let layers = tries.iter().filter_map(|values| Layer::from_values(&kind, values).ok());
            let found: Vec<Option<ShapeError>> =
                layers.map(|layer| self.infer(&Described::Known(Box::new(layer)), operands).err()).collect();
            let is_still_blamed = |found: &ShapeError| matches!(found.at, At::Argument(at) | At::Element(at, _) if at == name);
            let found: Vec<Option<ShapeError>> =
                found.into_iter().filter(|found| !found.as_ref().is_some_and(is_still_blamed)).collect();
            match found.as_slice() {
                [Some(first), rest @ ..] if rest.iter().all(|found| found.as_ref().is_some_and(|found| found == first)) => {
                    error = *first;
                    let problem = self.broken_rule(&error, operands);
                    self.errors.push(problem.at(blamed(error.at, held.call, table, &held.read.filled)));
                }
                _ => return,
            }
        }
    }

    /// What `error` says, with the way to the shapes of the tensors it speaks of.
    pub(super) fn broken_rule(&self, error: &ShapeError, operands: &[(String, Value)]) -> Problem {
        let is_meant = |(label, _): &&(String, Value)| error.message.as_str().contains(&format!("`{label}`"));
        let meant: Vec<&(String, Value)> = operands.iter().filter(is_meant).collect();
        let mut error = *error;
        match meant.as_slice() {
            [(label, value)] => error = self.after(error, label, value.nodes.first()),
            [(a, to_a), (b, to_b)] if a != b => {
                let (to_a, to_b) = (way::to(&self.nodes, to_a.nodes[0]), way::to(&self.nodes, to_b.nodes[0]));
                let shared = to_a.iter().zip(&to_b).take_while(|(a, b)| a == b).count().saturating_sub(1);
                let branches = [(a, &to_a[shared..]), (b, &to_b[shared..])].into_iter().filter(|(_, way)| way.len() > 1);
                let branches = branches.map(|(name, way)| format!("`{name}` after {}", self.told(way)));
                let notes = [error.note.to_string(), branches.collect::<Vec<_>>().join(", ")];
                let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
                return Problem::new(error.message.to_string()).note(notes.join("; ")).help(error.help.to_string());
            }
            _ => {}
        }
        Problem::new(error.message.to_string()).note(error.note.to_string()).help(error.help.to_string())
    }

    /// `error` with the way to the tensor called `label`, which `node` gives.
    pub(super) fn after(&self, error: ShapeError, label: &str, node: Option<&usize>) -> ShapeError {
        let way = node.map_or_else(Vec::new, |node| way::to(&self.nodes, *node));
        let steps = self.steps(&way);
        let steps: Vec<(&str, Option<spec::Shape>)> = steps.iter().map(|(kind, shape)| (kind.as_str(), *shape)).collect();
        error.after(label, &steps)
    }

    /// The layers of a way, with the shapes they give.
    fn steps(&self, way: &[usize]) -> Vec<(String, Option<spec::Shape>)> {
        let step = |node: usize| (self.layers[self.nodes[node].layer].kind(), self.nodes[node].shape);
        way::told(way, step, ("…".to_string(), None))
    }

    fn told(&self, way: &[usize]) -> String {
        let steps = self.steps(way);
        let steps: Vec<(&str, Option<spec::Shape>)> = steps.iter().map(|(kind, shape)| (kind.as_str(), *shape)).collect();
        spec::Text::new().way(&steps).to_string()
    }
}

/// The most combinations of values that are put in the place of wrong ones.
const MOST_TRIES: usize = 64;

/// `values` with others at `place` that are right for most layers.
fn mended(values: &[Option<spec::Value>], place: usize, argument: &spec::Argument) -> Vec<Vec<Option<spec::Value>>> {
    // 1 fits anywhere, 840 has many divisors, 5 has none in common with most numbers.
    let mut instead: Vec<Option<spec::Value>> = match argument.kind {
        Kind::Size | Kind::Sizes(_) => [1, 5, 840].map(|size| Some(spec::Value::Int(size))).to_vec(),
        Kind::Number | Kind::Numbers | Kind::Interval => vec![Some(spec::Value::Float(0.1))],
        _ => Vec::new(),
    };
    instead.extend(argument.default.map(|_| None));
    let with = |value: Option<spec::Value>| {
        let mut values = values.to_vec();
        values[place] = value;
        values
    };
    instead.into_iter().map(with).collect()
}
