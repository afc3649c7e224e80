//! A network, or a part of it, in few words: blocks as one item each, and runs of equal ones as one item with their count.

use crate::architecture::{Architecture, Layer};
use crate::family::Family;
use std::ops::Range;

/// Layers that stand next to one another, and how many names of blocks they share.
#[derive(Clone, Debug)]
pub struct Part {
    pub layers: Range<usize>,
    pub level: usize,
}

/// The items of a part and what connects them.
pub struct Outline {
    pub items: Vec<Item>,
    pub edges: Vec<Edge>,
}

/// A layer, a block, or a run of equal ones.
#[derive(Clone, Debug)]
pub struct Item {
    /// All its layers.
    pub layers: Range<usize>,
    /// The layers of the first of the run.
    pub first: Range<usize>,
    /// The number of blocks or layers in the run.
    pub repeats: usize,
    /// How many names of blocks its layers share, if it is a block.
    pub block: Option<usize>,
}

/// What the layer `source` gives goes into an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The item of the layer, unless it is outside the part.
    pub from: Option<usize>,
    pub to: usize,
    pub source: usize,
}

/// Which equal neighbours become one item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    Nothing,
    Blocks,
    Everything,
}

/// How the layers of a block are made and connected, whatever their arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pattern<'a> {
    stem: &'a str,
    layers: Vec<(&'a str, &'a str, Vec<Operand>)>,
}

/// An input of a layer as its block sees it.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Operand {
    /// The layer at this place of the block.
    Inside(usize),
    /// This of the tensors that the block takes.
    Outside(usize),
}

impl Item {
    /// Whether it is one layer of those that may be drawn under the layer before.
    pub fn is_strip(&self, net: &Architecture) -> bool {
        self.block.is_none() && self.repeats == 1 && Family::of(&net.layers[self.first.start].kind).is_strip()
    }
}

impl Outline {
    /// The outline in pieces of about `length` boxes from top to bottom, cut where one tensor alone goes on; with each, its part.
    pub fn pieces(self, net: &Architecture, length: usize) -> Vec<(Outline, Part)> {
        let ranks = self.ranks(net);
        let total = ranks.iter().max().map_or(0, |rank| rank + 1);
        let count = total.div_ceil(length).max(1);
        let mut cuts = vec![0];
        for piece in 1..count {
            let wanted = piece * total / count;
            let later = cuts[cuts.len() - 1] + 1;
            let fits = (later..self.items.len()).filter(|at| self.is_bridge(*at, net));
            cuts.extend(fits.min_by_key(|at| ranks[*at].abs_diff(wanted)));
        }
        let ends = cuts[1..].iter().copied().chain([self.items.len()]);
        cuts.iter().zip(ends).map(|(start, end)| self.piece(*start..end)).collect()
    }

    /// How far down each item is, strips beside what they are under.
    fn ranks(&self, net: &Architecture) -> Vec<usize> {
        let mut ranks: Vec<usize> = vec![0; self.items.len()];
        for to in 0..ranks.len() {
            let above = self.edges.iter().filter(|edge| edge.to == to).filter_map(|edge| edge.from);
            let step = usize::from(!self.items[to].is_strip(net));
            ranks[to] = above.map(|from| ranks[from] + step).max().unwrap_or(0);
        }
        ranks
    }

    /// Whether the items from `at` on take one tensor alone, which the item before gives, and do not begin with a strip.
    fn is_bridge(&self, at: usize, net: &Architecture) -> bool {
        let mut crossing = self.edges.iter().filter(|edge| edge.to >= at && edge.from.is_some_and(|from| from < at));
        let Some(first) = crossing.next() else { return false };
        let goes_on = first.from == Some(at - 1) && crossing.all(|edge| edge.source == first.source);
        goes_on && !self.items[at].is_strip(net)
    }

    fn piece(&self, range: Range<usize>) -> (Outline, Part) {
        let items = self.items[range.clone()].to_vec();
        let inside = |edge: &Edge| Edge {
            from: edge.from.and_then(|from| from.checked_sub(range.start)),
            to: edge.to - range.start,
            source: edge.source,
        };
        let edges = self.edges.iter().filter(|edge| range.contains(&edge.to)).map(inside).collect();
        let layers = items[0].layers.start..items[items.len() - 1].layers.end;
        (Outline { items, edges }, Part { layers, level: 0 })
    }
}

impl Architecture {
    /// The whole network.
    pub(crate) fn whole(&self) -> Part {
        Part { layers: 0..self.layers.len(), level: 0 }
    }

    /// How many blocks the deepest layer of a part is in.
    pub(crate) fn depth(&self, part: &Part) -> usize {
        let depth = |layer: &Layer| layer.name.matches('.').count();
        self.layers[part.layers.clone()].iter().map(depth).max().unwrap_or(0).saturating_sub(part.level)
    }

    /// A part with the blocks of `depth` levels opened.
    pub(crate) fn outline(&self, part: &Part, depth: usize, fold: Fold) -> Outline {
        let level = part.level + depth + 1;
        let mut items: Vec<Item> = Vec::new();
        for index in part.layers.clone() {
            let block = prefix(&self.layers[index].name, level);
            let last =
                items.last_mut().filter(|item| block.is_some() && prefix(&self.layers[item.first.start].name, level) == block);
            match last {
                Some(item) => (item.layers.end, item.first.end) = (index + 1, index + 1),
                None => items.push(Item {
                    layers: index..index + 1,
                    first: index..index + 1,
                    repeats: 1,
                    block: block.is_some().then_some(level),
                }),
            }
        }
        if fold != Fold::Nothing {
            items = self.folded(items, fold);
        }
        let edges = self.edges(&items);
        Outline { items, edges }
    }

    /// The name of a block, or of a layer.
    pub(crate) fn item_name(&self, item: &Item) -> &str {
        let name = &self.layers[item.first.start].name;
        item.block.and_then(|level| prefix(name, level)).unwrap_or(name)
    }

    /// The name of the last of a run.
    pub(crate) fn last_name(&self, item: &Item) -> &str {
        let name = &self.layers[item.layers.end - 1].name;
        item.block.and_then(|level| prefix(name, level)).unwrap_or(name)
    }

    /// The layers of a range whose outputs leave it.
    pub(crate) fn leaving(&self, layers: &Range<usize>) -> Vec<usize> {
        let mut leaves: Vec<bool> = layers.clone().map(|index| self.outputs.contains(&index)).collect();
        let after = self.layers[layers.end..].iter().flat_map(|layer| &layer.inputs);
        for input in after.filter(|input| layers.contains(input)) {
            leaves[input - layers.start] = true;
        }
        layers.clone().filter(|index| leaves[index - layers.start]).collect()
    }

    pub(crate) fn pattern(&self, item: &Item) -> Pattern<'_> {
        let path = self.item_name(item);
        let layers = &self.layers[item.first.clone()];
        let mut taken: Vec<usize> = Vec::new();
        let mut operand = |input: &usize| match input.checked_sub(item.first.start) {
            Some(place) => Operand::Inside(place),
            None => Operand::Outside(taken.iter().position(|other| other == input).unwrap_or_else(|| {
                taken.push(*input);
                taken.len() - 1
            })),
        };
        let layers = layers.iter().map(|layer| {
            let name = layer.name.strip_prefix(path).unwrap_or_default();
            (name, layer.kind.as_str(), layer.inputs.iter().map(&mut operand).collect())
        });
        Pattern { layers: layers.collect(), stem: stem(path) }
    }

    fn folded(&self, items: Vec<Item>, fold: Fold) -> Vec<Item> {
        let consumers = self.consumers();
        let mut folded: Vec<Item> = Vec::new();
        for item in items {
            let run = folded.last_mut().filter(|run| {
                (fold == Fold::Everything || item.block.is_some())
                    && run.block == item.block
                    && self.layers[run.first.start].kind == self.layers[item.first.start].kind
                    && self.follows(run, &item, &consumers)
                    && self.pattern(run) == self.pattern(&item)
                    && self.arguments_match(&run.first, &item.first)
            });
            match run {
                Some(run) => {
                    run.layers.end = item.layers.end;
                    run.repeats += 1;
                }
                None => folded.push(item),
            }
        }
        folded
    }

    fn arguments_match(&self, one: &Range<usize>, other: &Range<usize>) -> bool {
        let facts = |layer: &Layer| (layer.arguments.clone(), layer.frozen);
        self.layers[one.clone()].iter().map(facts).eq(self.layers[other.clone()].iter().map(facts))
    }

    /// Whether `item` takes one tensor, that which `run` gives and nothing else takes.
    fn follows(&self, run: &Item, item: &Item, consumers: &[Vec<usize>]) -> bool {
        let mut taken =
            self.layers[item.layers.clone()].iter().flat_map(|layer| &layer.inputs).filter(|input| **input < item.layers.start);
        let Some(given) = taken.next() else { return false };
        let leaves = |index: usize| self.outputs.contains(&index) || consumers[index].iter().any(|user| *user >= run.layers.end);
        taken.all(|other| other == given)
            && run.layers.contains(given)
            && run.layers.clone().all(|index| !leaves(index) || index == *given)
            && !self.outputs.contains(given)
            && consumers[*given].iter().all(|user| *user < item.layers.end)
    }

    /// The layers that each layer's output goes into.
    pub(crate) fn consumers(&self) -> Vec<Vec<usize>> {
        let mut consumers = vec![Vec::new(); self.layers.len()];
        for (index, layer) in self.layers.iter().enumerate() {
            layer.inputs.iter().for_each(|input| consumers[*input].push(index));
        }
        consumers
    }

    fn edges(&self, items: &[Item]) -> Vec<Edge> {
        let mut owners: Vec<Option<usize>> = vec![None; self.layers.len()];
        for (place, item) in items.iter().enumerate() {
            owners[item.layers.clone()].fill(Some(place));
        }
        let mut edges = Vec::new();
        for (to, item) in items.iter().enumerate() {
            for input in self.layers[item.layers.clone()].iter().flat_map(|layer| &layer.inputs) {
                let edge = Edge { from: owners[*input], to, source: *input };
                let is_known = || edges.iter().rev().take_while(|known: &&Edge| known.to == to).any(|known| *known == edge);
                if edge.from != Some(to) && !is_known() {
                    edges.push(edge);
                }
            }
        }
        edges
    }
}

/// The first `level` names of a path that has more.
fn prefix(path: &str, level: usize) -> Option<&str> {
    path.match_indices('.').nth(level.checked_sub(1)?).map(|(end, _)| &path[..end])
}

/// The name that several blocks or layers of one kind are counted from: `conv` for `stem.conv_2`.
pub fn stem(path: &str) -> &str {
    let own = path.rsplit('.').next().unwrap_or(path);
    match own.rsplit_once('_') {
        Some((stem, count)) if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) => stem,
        _ => own,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A network from `name kind(argument) < inputs` in each line.
    pub fn network(text: &str) -> Architecture {
        let layer = |line: &str| {
            let (layer, inputs) = line.split_once('<').unwrap_or((line, ""));
            let (name, call) = layer.trim().split_once(' ').unwrap_or((layer.trim(), ""));
            let (kind, argument) = call.trim_end_matches(')').split_once('(').unwrap_or((call, ""));
            let arguments = (!argument.is_empty()).then(|| crate::Argument { name: "filters".into(), text: argument.into() });
            Layer {
                name: name.into(),
                kind: kind.into(),
                arguments: arguments.into_iter().collect(),
                inputs: inputs.split_whitespace().map(|input| input.parse().unwrap()).collect(),
                shape: Some(cnn_spec::Shape::new([8, 8, 4])),
                parameters: Some(1000),
                macs: Some(1_000_000),
                field: Some(cnn_spec::Field::Cells([3, 3])),
                frozen: false,
            }
        };
        let layers: Vec<Layer> = text.trim().lines().map(|line| layer(line.trim())).collect();
        let outputs = vec![layers.len() - 1];
        Architecture { name: "Net".into(), layers, outputs }
    }

    /// Three residual blocks, the last of another width, and a classifier.
    pub fn residual() -> Architecture {
        network(
            "input Input(8, 8, 4)
             residual.conv2d Conv2D(4) < 0
             residual.re_lu ReLU < 1
             residual.add Add < 2 0
             residual_1.conv2d Conv2D(4) < 3
             residual_1.re_lu ReLU < 4
             residual_1.add Add < 5 3
             residual_2.conv2d Conv2D(8) < 6
             residual_2.re_lu ReLU < 7
             residual_2.add Add < 8 6
             dense Dense(10) < 9",
        )
    }

    fn names(net: &Architecture, outline: &Outline) -> Vec<String> {
        outline.items.iter().map(|item| format!("{}×{}", net.item_name(item), item.repeats)).collect()
    }

    #[test]
    fn equal_blocks_in_a_row_are_one_item() {
        let net = residual();
        let outline = net.outline(&net.whole(), 0, Fold::Blocks);
        assert_eq!(names(&net, &outline), ["input×1", "residual×2", "residual_2×1", "dense×1"]);
        assert_eq!(net.last_name(&outline.items[1]), "residual_1");
        let edges: Vec<_> = outline.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(edges, [(Some(0), 1), (Some(1), 2), (Some(2), 3)]);
        assert_eq!(net.outline(&net.whole(), 0, Fold::Nothing).items.len(), 5);
        assert_eq!(net.outline(&net.whole(), 1, Fold::Everything).items.len(), 11);
    }

    #[test]
    fn a_tensor_that_is_taken_elsewhere_keeps_blocks_apart() {
        let mut net = residual();
        net.layers[10].inputs = vec![9, 3];
        let outline = net.outline(&net.whole(), 0, Fold::Everything);
        assert_eq!(names(&net, &outline), ["input×1", "residual×1", "residual_1×1", "residual_2×1", "dense×1"]);
        let mut net = residual();
        net.outputs.push(3);
        assert_eq!(net.outline(&net.whole(), 0, Fold::Everything).items.len(), 5);
    }

    #[test]
    fn a_long_outline_is_cut_where_one_tensor_goes_on() {
        let net = residual();
        let pieces = net.outline(&net.whole(), 1, Fold::Nothing).pieces(&net, 4);
        let starts: Vec<_> = pieces.iter().map(|(_, part)| part.layers.clone()).collect();
        assert_eq!(starts, [0..4, 4..11]);
        let edges: Vec<_> = pieces[1].0.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        assert_eq!(edges[..4], [(None, 0), (Some(0), 1), (Some(1), 2), (None, 2)]);
        assert_eq!(net.outline(&net.whole(), 1, Fold::Nothing).pieces(&net, 11).len(), 1);
    }

    #[test]
    fn a_block_takes_tensors_from_outside() {
        let net = residual();
        let block = Part { layers: 4..7, level: 1 };
        let edges = net.outline(&block, 0, Fold::Blocks).edges;
        let expected = [(None, 0, 3), (Some(0), 1, 4), (Some(1), 2, 5), (None, 2, 3)];
        assert_eq!(edges.iter().map(|edge| (edge.from, edge.to, edge.source)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn layers_in_a_row_are_one_item_where_room_is_short() {
        let net = network("input Input\na Dense(8) < 0\nb Dense(8) < 1\nc Dense(9) < 2");
        assert_eq!(net.outline(&net.whole(), 0, Fold::Everything).items.len(), 4);
        let net = network("input Input\ndense Dense(8) < 0\ndense_1 Dense(8) < 1\ndense_2 Dense(9) < 2");
        assert_eq!(names(&net, &net.outline(&net.whole(), 0, Fold::Everything)), ["input×1", "dense×2", "dense_2×1"]);
    }
}
