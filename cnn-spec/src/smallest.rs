//! The smallest input a network of open sizes accepts.

use crate::{Dim, Graph, Operand, Shape};

/// The largest size that is tried.
const MOST: usize = 4096;

impl Graph {
    /// The smallest shapes its inputs may have, if some of their sizes are open and any up to 4,096 will do: first the least
    /// size that does for all of them, then for each the least that does when the others are that.
    pub fn smallest_input(&self) -> Option<Vec<Shape>> {
        let declared: Vec<Shape> = self.inputs.iter().map(|input| self.nodes[*input].shape).collect();
        smallest(&declared, |shapes| self.accepts(shapes))
    }

    fn accepts(&self, shapes: &[Shape]) -> bool {
        let names = self.inputs.iter().map(|input| self.nodes[*input].tensor);
        let operands: Vec<Operand> = names.zip(shapes).map(|(name, shape)| Operand::new(name, *shape)).collect();
        self.shapes_at_run_time(&operands).is_ok()
    }
}

/// The smallest of shapes like `declared` that a network accepts; `None` if no size is open, or none is accepted.
pub fn smallest(declared: &[Shape], accepts: impl Fn(&[Shape]) -> bool) -> Option<Vec<Shape>> {
    let open: Vec<(usize, usize)> = (declared.iter().enumerate())
        .flat_map(|(input, shape)| (0..shape.rank()).map(move |axis| (input, axis)))
        .filter(|(input, axis)| declared[*input].dims()[*axis] == Dim::Unknown)
        .collect();
    if open.is_empty() {
        return None;
    }
    let all = |size: usize| open.iter().fold(declared.to_vec(), |shapes, place| with(shapes, *place, size));
    let mut found = all(least(|size| accepts(&all(size)))?);
    let together = found.clone();
    for place in open {
        let one = |size: usize| with(together.clone(), place, size);
        let size = least(|size| accepts(&one(size)))?;
        found = with(found, place, size);
    }
    Some(found)
}

/// The least size that is accepted, if every larger one is too; else one below which the next smaller tried is not.
fn least(accepts: impl Fn(usize) -> bool) -> Option<usize> {
    let mut high = 1;
    while !accepts(high) {
        high *= 2;
        if high > MOST {
            return None;
        }
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if accepts(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The shapes with `size` at one axis of one of them.
fn with(mut shapes: Vec<Shape>, (input, axis): (usize, usize), size: usize) -> Vec<Shape> {
    let mut dims = shapes[input].dims().to_vec();
    dims[axis] = Dim::Known(size);
    shapes[input] = Shape::of(&dims);
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2D, Input, Layer, MaxPooling2D, Node};

    #[test]
    fn is_found_for_each_open_axis() {
        let shape = Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(3)]);
        let node = |layer, inputs| Node { name: "x", tensor: "x", layer, inputs, shape, frozen: false };
        let nodes = [
            node(Layer::Input(Input::new(shape)), &[]),
            node(Layer::Conv2D(Conv2D::new(3, [5, 3])), &[0]),
            node(Layer::MaxPooling2D(MaxPooling2D::new()), &[1]),
            node(Layer::Conv2D(Conv2D::new(3, [3, 3])), &[2]),
        ];
        let graph = Graph { name: "Net", nodes: Box::leak(Box::new(nodes)), inputs: &[0], outputs: &[3] };
        // Three cells before the last, six before the pooling, and what the first kernel takes more.
        assert_eq!(graph.smallest_input(), Some(vec![Shape::new([10, 8, 3])]));
    }

    #[test]
    fn sizes_that_must_divide_are_found_where_doubling_finds_them() {
        let open = [Shape::of(&[Dim::Unknown])];
        let divides = |shapes: &[Shape]| shapes[0].dims()[0].known().is_some_and(|n| n % 16 == 0);
        assert_eq!(smallest(&open, divides), Some(vec![Shape::new([16])]));
        assert_eq!(smallest(&open, |_| false), None);
        assert_eq!(smallest(&[Shape::new([3])], |_| true), None);
    }
}
