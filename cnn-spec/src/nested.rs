//! A network as a layer of another: what it takes, and what follows.

use crate::activation::Activation;
use crate::{At, Dim, Graph, Inferred, Layer, Operand, Shape, ShapeError, Text};

impl Graph {
    /// The most layers of a network that can be a layer of another one.
    pub(crate) const MOST: usize = 1024;

    /// The shape of its output for these inputs. Its parameters are those of its layers, and not the layer's own.
    ///
    /// # Errors
    /// If it does not take these tensors, or gives several.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let [output] = self.outputs else {
            let message = Text::from("`").and(self.name).and("` gives ").num(self.outputs.len()).and(" tensors, and a layer one");
            let help = Text::from("end it in one tensor, or call it in code of your own");
            return Err(ShapeError::new(At::Layer, message).help(help));
        };
        if let Err(error) = self.takes(inputs) {
            return Err(error);
        }
        let shapes = match self.shapes(inputs) {
            Ok(shapes) => shapes,
            Err(error) => return Err(error),
        };
        let (mut macs, mut index) = (Some(0), 0);
        let mut ends_in = Activation::Linear;
        while index < self.nodes.len() {
            let inferred = match self.at(index, &shapes) {
                Ok(inferred) => inferred,
                Err(error) => return Err(error),
            };
            macs = match (macs, inferred.macs) {
                (Some(sum), Some(more)) => Some(u64::saturating_add(sum, more)),
                _ => None,
            };
            if index == *output {
                ends_in = inferred.ends_in;
            }
            index += 1;
        }
        Ok(Inferred::shape(shapes[*output]).macs(macs).ends_in(ends_in))
    }

    /// That `inputs` are of the shapes it was declared for.
    const fn takes(&self, inputs: &[Operand]) -> Result<(), ShapeError> {
        if inputs.len() != self.inputs.len() {
            let message = Text::from("`").and(self.name).and("` takes ").num(self.inputs.len());
            let message =
                message.and(if self.inputs.len() == 1 { " tensor" } else { " tensors" }).and(", found ").num(inputs.len());
            return Err(ShapeError::new(At::Inputs, message).help(Text::from("apply it to as many")));
        }
        let mut i = 0;
        while i < inputs.len() {
            let declared = &self.nodes[self.inputs[i]].shape;
            if !declared.admits(&inputs[i].shape) {
                let message = Text::from("`").and(self.name).and("` takes ").shape(declared).and("; `");
                let message = message.and(inputs[i].name).and("` is ").shape(&inputs[i].shape);
                return Err(ShapeError::new(At::Input(i), message).help(made_to_fit(declared, &inputs[i].shape)));
            }
            i += 1;
        }
        if self.nodes.len() > Self::MOST {
            let message = Text::from("a network of ").num(self.nodes.len()).and(" layers is too large to be one itself");
            return Err(ShapeError::new(At::Layer, message).help(Text::from("declare its layers in a block")));
        }
        Ok(())
    }

    /// The shape of every node for these inputs.
    pub(crate) const fn shapes(&self, inputs: &[Operand]) -> Result<[Shape; Self::MOST], ShapeError> {
        let mut shapes = [Shape::of(&[]); Self::MOST];
        let mut i = 0;
        while i < inputs.len() {
            shapes[self.inputs[i]] = inputs[i].shape;
            i += 1;
        }
        let mut index = 0;
        while index < self.nodes.len() {
            if !matches!(self.nodes[index].layer, Layer::Input(_)) {
                shapes[index] = match self.at(index, &shapes) {
                    Ok(inferred) => inferred.shape,
                    Err(error) => return Err(error),
                };
            }
            index += 1;
        }
        Ok(shapes)
    }

    /// The same when the network runs, where the rules of a user's own layers are asked as well.
    pub(crate) fn shapes_at_run_time(&self, inputs: &[Operand]) -> Result<Vec<Shape>, ShapeError> {
        let mut shapes = vec![Shape::of(&[]); self.nodes.len()];
        self.inputs.iter().zip(inputs).for_each(|(node, input)| shapes[*node] = input.shape);
        for (index, node) in self.nodes.iter().enumerate() {
            let operand = |input: &usize| Operand::new(self.nodes[*input].tensor, shapes[*input]);
            let operands: Vec<Operand> = node.inputs.iter().map(operand).collect();
            let shape = match node.layer {
                Layer::Input(_) => Ok(shapes[index]),
                Layer::Custom(custom) => custom.infer(&operands).map(|inferred| inferred.shape),
                Layer::Model(network) => network.output_at_run_time(&operands),
                layer => layer.infer(&operands).map(|inferred| inferred.shape),
            };
            shapes[index] = shape.map_err(|error| self.inside(node.name, error))?;
        }
        Ok(shapes)
    }

    fn output_at_run_time(&self, inputs: &[Operand]) -> Result<Shape, ShapeError> {
        self.takes(inputs)?;
        Ok(self.shapes_at_run_time(inputs)?[self.outputs[0]])
    }

    /// What follows of one node from the shapes of those before it.
    const fn at(&self, index: usize, shapes: &[Shape; Self::MOST]) -> Result<Inferred, ShapeError> {
        const MOST_INPUTS: usize = 64;
        let node = &self.nodes[index];
        let mut operands = [Operand::new("", Shape::of(&[])); MOST_INPUTS];
        if node.inputs.len() > MOST_INPUTS {
            return Err(ShapeError::new(At::Layer, Text::from("too many tensors for one layer")));
        }
        let mut i = 0;
        while i < node.inputs.len() {
            operands[i] = Operand::new(self.nodes[node.inputs[i]].tensor, shapes[node.inputs[i]]);
            i += 1;
        }
        let inferred = node.layer.infer(operands.split_at(node.inputs.len()).0);
        match inferred {
            Ok(inferred) => Ok(inferred),
            Err(error) => Err(self.inside(node.name, error)),
        }
    }

    /// The error of a layer of this network as one of the network.
    const fn inside(&self, layer: &str, error: ShapeError) -> ShapeError {
        let note = Text::from("in `").and(layer).and("` of `").and(self.name).and("`");
        let note = if error.note.is_empty() { note } else { note.and(": ").text(&error.note) };
        ShapeError::new(At::Input(0), error.message).note(note).help(Text::from("apply it to a larger tensor"))
    }
}

/// What to do to a tensor of shape `found`.
const fn made_to_fit(declared: &Shape, found: &Shape) -> Text {
    let ([height, width, Dim::Known(channels)], [_, _, others]) = (declared.dims(), found.dims()) else {
        return Text::from("give it a tensor of that shape");
    };
    let has_channels = matches!(others, Dim::Known(others) if *others == *channels);
    let is_of_size = Shape::of(declared.spatial()).admits(&Shape::of(found.spatial()));
    let to_channels = Text::from("give it as many channels: `Conv2D(").num(*channels).and(", 1)`");
    match (height, width) {
        _ if is_of_size => to_channels,
        (Dim::Known(height), Dim::Known(width)) => {
            let resized = Text::from("resize it first: `Resizing(").num(*height).and(", ").num(*width).and(")`");
            if has_channels { resized } else { resized.and("; then ").text(&to_channels) }
        }
        _ => Text::from("give it a tensor of that shape"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2D, Flatten, Input, Node};

    const fn node(name: &'static str, layer: Layer, inputs: &'static [usize], shape: Shape) -> Node {
        Node { name, tensor: "x", layer, inputs, shape, frozen: false }
    }

    const IMAGE: Shape = Shape::new([8, 8, 3]);
    const FIXED: Graph = Graph {
        name: "Fixed",
        nodes: &[
            node("input", Layer::Input(Input::new(IMAGE)), &[], IMAGE),
            node("conv2d", Layer::Conv2D(Conv2D::new(4, [3, 3])), &[0], Shape::new([6, 6, 4])),
            node("flatten", Layer::Flatten(Flatten::new()), &[1], Shape::new([144])),
        ],
        inputs: &[0],
        outputs: &[2],
    };
    const OPEN: Graph = Graph {
        name: "Open",
        nodes: &[
            node("input", Layer::Input(Input::new(ANY)), &[], ANY),
            node("conv2d", Layer::Conv2D(Conv2D::new(4, [3, 3])), &[0], Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(4)])),
        ],
        inputs: &[0],
        outputs: &[1],
    };
    const ANY: Shape = Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(3)]);

    fn on(graph: &'static Graph, shape: Shape) -> Result<Inferred, ShapeError> {
        Layer::Model(graph).infer(&[Operand::new("i", shape)])
    }

    #[test]
    fn a_network_is_a_layer() {
        let inferred = on(&FIXED, IMAGE).unwrap();
        assert_eq!((inferred.shape, inferred.macs), (Shape::new([144]), Some(36 * 4 * 27)));
        assert_eq!(on(&OPEN, Shape::new([9, 7, 3])).unwrap().shape, Shape::new([7, 5, 4]));
        assert_eq!(on(&OPEN, ANY).unwrap().shape.to_string(), "_×_×4");
    }

    #[test]
    fn a_network_refuses_other_shapes() {
        let error = on(&FIXED, Shape::new([28, 28, 3])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Fixed` takes 8×8×3; `i` is 28×28×3");
        assert_eq!(error.help.as_str(), "resize it first: `Resizing(8, 8)`");
        let error = on(&FIXED, Shape::new([28, 28, 1])).unwrap_err();
        assert_eq!(error.help.as_str(), "resize it first: `Resizing(8, 8)`; then give it as many channels: `Conv2D(3, 1)`");
        let error = on(&OPEN, Shape::new([28, 28, 1])).unwrap_err();
        assert_eq!(error.help.as_str(), "give it as many channels: `Conv2D(3, 1)`");
        let error = on(&OPEN, Shape::new([2, 2, 3])).unwrap_err();
        assert_eq!(error.message.as_str(), "kernel 3×3 does not fit the 2×2 image `x`");
        assert_eq!(error.note.as_str(), "in `conv2d` of `Open`: (2 + 2·0 − 3)/1 + 1 = 0");
        assert_eq!(Layer::Model(&FIXED).infer(&[]).unwrap_err().message.as_str(), "`Fixed` takes 1 tensor, found 0");
    }
}
