//! What training asks of a network: that it takes the images of its data, tells their classes apart, and gives what its loss
//! needs.
//!
//! `fit`, `evaluate` and `predict` apply these rules while the program compiles, where the type of a data set says what it
//! holds, and again before the first step.

use crate::{At, Dim, Graph, Operand, Shape, ShapeError, Text, refuse};

/// What is known of a data set whose images have one label each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// What it is called; empty if it has no name.
    pub name: &'a str,
    /// The shape of each image, `H, W, C`.
    pub shape: Option<Shape>,
    /// The number of classes.
    pub classes: Option<usize>,
}

/// What a loss needs of the output of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Needs {
    /// Any output.
    #[default]
    Anything,
    /// A value for each of several classes, along the last axis.
    Classes,
}

impl Graph {
    /// That `method` can train or evaluate the network on `data`, a label for each image.
    ///
    /// # Errors
    /// If the network has several inputs or outputs, takes other images, or tells other classes apart.
    pub const fn fits(&self, method: &str, data: &Data) -> Result<(), ShapeError> {
        match self.classes(method, data) {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The number of classes that it tells the images of `data` apart by.
    ///
    /// # Errors
    /// As [`Self::fits`].
    pub const fn classes(&self, method: &str, data: &Data) -> Result<usize, ShapeError> {
        let output = match self.output_for(method, data) {
            Ok(output) => output,
            Err(error) => return Err(error),
        };
        let &[Dim::Known(values)] = output.dims() else {
            let message = Text::from("a label for each image needs a network that gives a vector; `").and(self.name);
            let help = Text::from("put `Flatten()` or `GlobalAveragePooling2D()` before its last layer");
            return Err(ShapeError::new(At::Layer, message.and("` gives ").shape(&output)).help(help));
        };
        match data.classes {
            Some(classes) if classes != values => {
                let message = Text::from("`").and(self.name).and("` gives ").values(values).and(" for each image, ");
                let message = message.and(if data.name.is_empty() { "the data set" } else { data.name }).and(" has ");
                let message = message.num(classes).and(if classes == 1 { " class" } else { " classes" });
                let help = Text::from("give its last layer ").num(classes);
                let help = help.and(if classes == 1 { " output" } else { " outputs" });
                Err(ShapeError::new(At::Layer, message).help(help))
            }
            _ => Ok(values),
        }
    }

    /// That `method` can give the network the images of `data`.
    ///
    /// # Errors
    /// If the network has several inputs or outputs, or takes other images.
    pub const fn takes_images(&self, method: &str, data: &Data) -> Result<(), ShapeError> {
        match self.output_for(method, data) {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The only output of a network of one input, without the batch.
    ///
    /// # Errors
    /// If the network has several inputs or outputs, which `method` cannot give or take.
    pub const fn only_output(&self, method: &str) -> Result<Shape, ShapeError> {
        if let ([_], &[output]) = (self.inputs, self.outputs) {
            return Ok(self.nodes[output].shape);
        }
        let message = Text::from("`").and(method).and("` is for one input and one output; `").and(self.name).and("` has ");
        let message = message.num(self.inputs.len()).and(" and ").num(self.outputs.len());
        let help = Text::from("call the network itself, with `model.call(&[…], &Context::inference())`");
        Err(ShapeError::new(At::Layer, message).help(help))
    }

    /// What the network gives for each image of `data`.
    const fn output_for(&self, method: &str, data: &Data) -> Result<Shape, ShapeError> {
        let output = match self.only_output(method) {
            Ok(output) => output,
            Err(error) => return Err(error),
        };
        let Some(image) = &data.shape else { return Ok(output) };
        let input = &self.nodes[self.inputs[0]];
        if !input.shape.admits(image) {
            let message = Text::from("`").and(self.name).and("` takes ").shape(&input.shape).and(", the images ");
            let message = if data.name.is_empty() { message } else { message.and("of ").and(data.name).and(" ") };
            let help = Text::from("declare `Input(").list(&opened(image, &input.shape)).and(")`");
            return Err(ShapeError::new(At::Inputs, message.and("are ").shape(image)).help(help));
        }
        if input.shape.is_known() || self.nodes.len() > Self::MOST {
            return Ok(output);
        }
        match self.shapes(&[Operand::new(input.tensor, *image)]) {
            Ok(shapes) => Ok(shapes[self.outputs[0]]),
            Err(error) => Err(error.help(Text::from("train on larger images, or shrink them less in the network"))),
        }
    }

    /// That the network gives what the loss called `loss` needs.
    ///
    /// # Errors
    /// If it does not.
    pub const fn gives(&self, needs: Needs, loss: &str) -> Result<(), ShapeError> {
        let mut i = 0;
        while i < self.outputs.len() {
            let output = &self.nodes[self.outputs[i]].shape;
            if let (Needs::Classes, Dim::Known(1)) = (needs, output.channels()) {
                let message = Text::from("`").and(loss).and("` tells classes apart; `").and(self.name).and("` gives 1 value");
                let message = message.and(if output.rank() > 1 { " at each position" } else { "" });
                let (layer, rest) = match output.rank() {
                    0 | 1 => ("Dense(2", ""),
                    2 => ("Conv1D(2", ", 1"),
                    3 => ("Conv2D(2", ", 1"),
                    _ => ("Conv3D(2", ", 1"),
                };
                let help = Text::from("end it in `").and(layer).and(rest).and(", softmax)`, or `").and(layer).and(rest);
                return Err(ShapeError::new(At::Layer, message).help(help.and(")` with `from_logits: true`")));
            }
            i += 1;
        }
        Ok(())
    }
}

impl Text {
    const fn values(self, count: usize) -> Self {
        self.num(count).and(if count == 1 { " value" } else { " values" })
    }
}

/// The sizes of `image`, open where those of `declared` are.
const fn opened(image: &Shape, declared: &Shape) -> Shape {
    let mut dims = [Dim::Unknown; Shape::MAX_RANK];
    let mut i = 0;
    while i < image.rank() {
        let is_open = declared.rank() == image.rank() && declared.dims()[i].known().is_none();
        dims[i] = if is_open { Dim::Unknown } else { image.dims()[i] };
        i += 1;
    }
    Shape::of(dims.split_at(image.rank()).0)
}

/// Stops the build where a rule of a whole network is broken.
///
/// # Panics
/// If it is.
#[track_caller]
pub const fn require(rule: Result<(), ShapeError>) {
    if let Err(error) = &rule {
        refuse(error, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2D, Dense, GlobalAveragePooling2D, Input, Layer, Node};

    const FASHION: Data = Data { name: "Fashion-MNIST", shape: Some(Shape::new([28, 28, 1])), classes: Some(10) };
    const UNKNOWN: Data = Data { name: "", shape: None, classes: None };

    /// `Input`, a convolution of 5×5 to 4 channels, the mean over positions, and `Dense(units)`.
    fn net(input: Shape, units: usize) -> Graph {
        let layers = [
            Layer::Input(Input::new(input)),
            Layer::Conv2D(Conv2D::new(4, [5, 5])),
            Layer::GlobalAveragePooling2D(GlobalAveragePooling2D::new()),
            Layer::Dense(Dense::new(units)),
        ];
        let before: [&[usize]; 4] = [&[], &[0], &[1], &[2]];
        let mut nodes: Vec<Node> = Vec::new();
        for (layer, inputs) in layers.into_iter().zip(before) {
            let operands: Vec<Operand> = inputs.iter().map(|input| Operand::new("x", nodes[*input].shape)).collect();
            let shape = layer.infer(&operands).unwrap().shape;
            nodes.push(Node { name: "layer", tensor: "x", layer, inputs, shape, frozen: false });
        }
        Graph { name: "Net", nodes: nodes.leak(), inputs: &[0], outputs: &[3] }
    }

    fn grey(size: impl Into<Dim> + Copy) -> Shape {
        Shape::of(&[size.into(), size.into(), 1.into()])
    }

    #[test]
    fn a_network_for_the_data_is_fine() {
        assert_eq!(net(grey(28), 10).fits("fit", &FASHION), Ok(()));
        assert_eq!(net(grey(Dim::Unknown), 10).fits("fit", &FASHION), Ok(()));
        assert_eq!(net(grey(7), 3).fits("fit", &UNKNOWN), Ok(()));
        assert_eq!(net(grey(28), 3).takes_images("predict", &FASHION), Ok(()));
    }

    #[test]
    fn other_images_are_refused() {
        let error = |input: Shape, data| net(input, 10).fits("fit", data).unwrap_err().to_string();
        assert_eq!(
            error(Shape::new([32, 32, 3]), &FASHION),
            "`Net` takes 32×32×3, the images of Fashion-MNIST are 28×28×1\n  help: declare `Input(28, 28, 1)`"
        );
        let unnamed = Data { name: "", ..FASHION };
        assert_eq!(
            error(Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(3)]), &unnamed),
            "`Net` takes _×_×3, the images are 28×28×1\n  help: declare `Input(_, _, 1)`"
        );
        let small = Data { shape: Some(grey(4)), ..unnamed };
        assert_eq!(
            error(grey(Dim::Unknown), &small),
            "kernel 5×5 does not fit the 4×4 image `x`\n  note: in `layer` of `Net`: (4 + 2·0 − 5)/1 + 1 = 0\n  help: train on larger images, or shrink them less in the network"
        );
    }

    #[test]
    fn other_classes_are_refused() {
        let error = |data: Data| net(grey(28), 3).fits("fit", &data).unwrap_err().to_string();
        assert_eq!(
            error(FASHION),
            "`Net` gives 3 values for each image, Fashion-MNIST has 10 classes\n  help: give its last layer 10 outputs"
        );
        let one = Data { classes: Some(1), ..UNKNOWN };
        assert_eq!(
            error(one),
            "`Net` gives 3 values for each image, the data set has 1 class\n  help: give its last layer 1 output"
        );
        let maps = Graph { outputs: &[1], ..net(grey(28), 3) };
        assert_eq!(
            maps.fits("fit", &FASHION).unwrap_err().to_string(),
            "a label for each image needs a network that gives a vector; `Net` gives 24×24×4\n  help: put `Flatten()` or `GlobalAveragePooling2D()` before its last layer"
        );
    }

    #[test]
    fn several_inputs_or_outputs_are_refused() {
        let several = Graph { outputs: &[2, 3], ..net(grey(28), 10) };
        let expected = "`evaluate` is for one input and one output; `Net` has 1 and 2\n  help: call the network itself, with `model.call(&[…], &Context::inference())`";
        assert_eq!(several.fits("evaluate", &UNKNOWN).unwrap_err().to_string(), expected);
        assert!(several.takes_images("predict", &FASHION).is_err());
    }

    #[test]
    fn one_value_does_not_tell_classes_apart() {
        let gives = |graph: Graph, needs| graph.gives(needs, "SparseCategoricalCrossentropy");
        assert_eq!(gives(net(grey(28), 2), Needs::Classes), Ok(()));
        assert_eq!(gives(net(grey(28), 1), Needs::Anything), Ok(()));
        assert_eq!(
            gives(net(grey(28), 1), Needs::Classes).unwrap_err().to_string(),
            "`SparseCategoricalCrossentropy` tells classes apart; `Net` gives 1 value\n  help: end it in `Dense(2, softmax)`, or `Dense(2)` with `from_logits: true`"
        );
        let image = Graph { outputs: &[0], ..net(grey(28), 1) };
        assert_eq!(
            gives(image, Needs::Classes).unwrap_err().to_string(),
            "`SparseCategoricalCrossentropy` tells classes apart; `Net` gives 1 value at each position\n  help: end it in `Conv2D(2, 1, softmax)`, or `Conv2D(2, 1)` with `from_logits: true`"
        );
    }

    #[test]
    #[should_panic(expected = "`Net` gives 3 values for each image, Fashion-MNIST has 10 classes\n  help: give its last layer")]
    fn a_broken_rule_stops_the_build_with_its_words() {
        require(net(grey(28), 3).fits("fit", &FASHION));
    }
}
