//! What is said when a call breaks a rule of its layer: how the shapes came about, and what else is wrong with it.

use super::blame::blamed;
use super::{Checker, Held, Value};
use crate::graph::{Described, Node};
use crate::report::Problem;
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
        let mut tries = vec![self.values(table, &held.filled)];
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
                    self.errors.push(problem.at(blamed(error.at, held.call, table, &held.filled)));
                }
                _ => return,
            }
        }
    }

    /// What `error` says, with the way to the shapes of the tensors it speaks of.
    pub(super) fn broken_rule(&self, error: &ShapeError, operands: &[(String, Value)]) -> Problem {
        let (message, note) = (error.message.to_string(), error.note.to_string());
        let is_meant = |(label, _): &&(String, Value)| message.contains(&format!("`{label}`"));
        let meant: Vec<&(String, Value)> = operands.iter().filter(is_meant).collect();
        let ways: Vec<Vec<usize>> = meant.iter().map(|(_, value)| self.way(value.nodes[0])).collect();
        let (way, separator) = match (meant.as_slice(), ways.as_slice()) {
            ([_], [way]) => {
                let is_sum = matches!(error.at, At::Element(..));
                (self.steps(way).map(|steps| format!("after {steps}")), if is_sum { ", " } else { "; " })
            }
            ([(a, _), (b, _)], [to_a, to_b]) if a != b => {
                let shared = to_a.iter().zip(to_b).take_while(|(a, b)| a == b).count().saturating_sub(1);
                let branches = [(a, self.steps(&to_a[shared..])), (b, self.steps(&to_b[shared..]))];
                let branches = branches.into_iter().filter_map(|(name, steps)| Some(format!("`{name}` after {}", steps?)));
                (Some(branches.collect::<Vec<_>>().join(", ")), "; ")
            }
            _ => (None, ""),
        };
        let notes = [note, way.unwrap_or_default()].into_iter().filter(|note| !note.is_empty());
        Problem::new(message).note(notes.collect::<Vec<_>>().join(separator)).help(error.help.to_string())
    }

    /// The layers on the way to what `node` is applied to, with their shapes.
    pub(super) fn shapes_on_the_way(&self, node: usize) -> Vec<(&'static str, Option<spec::Shape>)> {
        let Some(input) = self.nodes[node].inputs.first() else { return Vec::new() };
        let step = |node: usize| {
            let Node { layer, shape, .. } = &self.nodes[node];
            (self.layers[*layer].layer.known().map_or("…", |layer| layer.name()), *shape)
        };
        self.way(*input).into_iter().map(step).collect()
    }

    /// The nodes from the input to `node`, each the first input of the next.
    fn way(&self, node: usize) -> Vec<usize> {
        let back = |node: &usize| self.nodes[*node].inputs.first().copied();
        let mut way: Vec<usize> = std::iter::successors(Some(node), back).collect();
        way.reverse();
        way
    }

    /// The layers of a way with the shapes they give, when there are several.
    fn steps(&self, way: &[usize]) -> Option<String> {
        const MOST: usize = 7;
        let step = |node: &usize| {
            let Node { layer, shape, .. } = &self.nodes[*node];
            format!("{} {}", self.layers[*layer].kind, shape.map_or_else(String::new, |shape| shape.to_string()))
        };
        let mut steps: Vec<String> = way.iter().map(step).collect();
        if steps.len() > MOST {
            steps.splice(1..=steps.len() - MOST + 1, ["…".to_string()]);
        }
        (steps.len() > 1).then(|| steps.join(" → "))
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
