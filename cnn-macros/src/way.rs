//! The way to a tensor, as messages tell it: the layers from the input on, those in the middle left out if there are many.

use crate::graph::Node;

/// The most layers that are told.
const MOST: usize = 7;

/// The nodes from an input to `node`, each the first input of the next.
pub fn to(nodes: &[Node], node: usize) -> Vec<usize> {
    let back = |node: &usize| nodes[*node].inputs.first().copied();
    let mut way: Vec<usize> = std::iter::successors(Some(node), back).collect();
    way.reverse();
    way
}

/// What is told of each node of a way, with `gap` in the place of those left out.
pub fn told<T>(way: &[usize], step: impl FnMut(usize) -> T, gap: T) -> Vec<T> {
    let mut steps: Vec<T> = way.iter().copied().map(step).collect();
    if steps.len() > MOST {
        steps.splice(1..=steps.len() - MOST + 1, [gap]);
    }
    steps
}
