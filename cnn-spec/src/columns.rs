//! The nodes of a network in columns, as `model!` writes them.
//!
//! A network of hundreds of layers is one constant, and the compiler takes its time over each expression in it: a name or a number
//! costs it little, a structure for each node, and a slice in each of them, very much.

use crate::{Flatten, Layer, Node, Shape};

/// One call of a layer in the source; in blocks and loops it makes several nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// The tensor it is bound to.
    pub tensor: &'static str,
    /// The layer.
    pub layer: Layer,
    /// How many tensors the layer is applied to.
    pub inputs: usize,
    /// Whether training leaves the parameters as they are.
    pub frozen: bool,
}

/// What there is to know of `N` nodes, in an order in which each comes after its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Columns<const N: usize> {
    /// What the layer of each is called.
    pub names: [&'static str; N],
    /// The call each comes from.
    pub calls: [Call; N],
    /// The shape of what each gives.
    pub shapes: [Shape; N],
    /// The nodes that the first is applied to, then those of the second, and so on.
    pub inputs: &'static [usize],
}

impl<const N: usize> Columns<N> {
    /// The nodes.
    ///
    /// # Panics
    /// If there are fewer inputs than the calls take.
    pub const fn nodes(&self) -> [Node; N] {
        let nothing = Node {
            name: "",
            tensor: "",
            layer: Layer::Flatten(Flatten::new()),
            inputs: &[],
            shape: Shape::of(&[]),
            frozen: false,
        };
        let (mut nodes, mut left) = ([nothing; N], self.inputs);
        let mut index = 0;
        while index < N {
            let Call { tensor, layer, inputs, frozen } = self.calls[index];
            let (inputs, after) = left.split_at(inputs);
            left = after;
            nodes[index] = Node { name: self.names[index], tensor, layer, inputs, shape: self.shapes[index], frozen };
            index += 1;
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Add, Input};

    #[test]
    fn nodes_take_their_inputs_in_order() {
        let [image, half] = Shape::each([[8, 8, 2], [4, 4, 2]]);
        let call = |layer, inputs| Call { tensor: "x", layer, inputs, frozen: inputs == 2 };
        let (input, add) = (call(Layer::Input(Input::new(image)), 0), call(Layer::Add(Add::new()), 2));
        let columns =
            Columns { names: ["a", "b", "c"], calls: [input, add, add], shapes: [image, image, half], inputs: &[0, 0, 1, 0] };
        let [a, b, c] = columns.nodes();
        assert_eq!((a.name, a.inputs, a.layer, a.frozen), ("a", &[][..], input.layer, false));
        assert_eq!((b.name, b.inputs, b.shape, b.frozen), ("b", &[0, 0][..], image, true));
        assert_eq!((c.name, c.inputs, c.shape, c.tensor), ("c", &[1, 0][..], half, "x"));
    }
}
