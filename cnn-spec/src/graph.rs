//! The checked network as data: what summaries, diagrams, checkpoints and cost are computed from.

use crate::{Inferred, Layer, Operand, Parameter, Reach, Shape, ShapeError, rules};

/// One layer application in a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// The layer's name, such as `conv2d_1`: its field in the model and its prefix in checkpoints.
    pub name: &'static str,
    /// The tensor it was bound to in the source, such as `x`.
    pub tensor: &'static str,
    /// The layer.
    pub layer: Layer,
    /// The nodes whose outputs it is applied to.
    pub inputs: &'static [usize],
    /// The shape of its output, without the batch.
    pub shape: Shape,
    /// Whether training leaves its parameters as they are.
    pub frozen: bool,
}

/// A whole network, its nodes in an order in which each comes after its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Graph {
    /// The name of the model.
    pub name: &'static str,
    /// Its layers.
    pub nodes: &'static [Node],
    /// The nodes where tensors enter.
    pub inputs: &'static [usize],
    /// The nodes whose outputs leave.
    pub outputs: &'static [usize],
}

/// The receptive field of one node: the input cells one of its cells depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// So many cells in height and width.
    Cells([usize; 2]),
    /// The whole input.
    Whole,
}

impl Graph {
    /// What follows from the layer of node `index`: its parameters, multiply-adds and reach.
    ///
    /// # Errors
    /// If the graph breaks a rule, which one made by `model!` never does.
    pub fn inferred(&self, index: usize) -> Result<Inferred, ShapeError> {
        let node = &self.nodes[index];
        let operand = |input: &usize| Operand::new(self.nodes[*input].tensor, self.nodes[*input].shape);
        let operands: Vec<Operand> = node.inputs.iter().map(operand).collect();
        node.layer.infer(&operands)
    }

    /// Every parameter with the name of its tensor in a checkpoint, such as `conv2d.weight`; those of a layer that is
    /// applied several times, once.
    pub fn parameters(&self) -> Vec<(String, Parameter)> {
        self.parameters_of(|_| true)
    }

    /// The parameters that training changes by their gradients: neither statistics nor those of frozen layers.
    pub fn trained_parameters(&self) -> Vec<(String, Parameter)> {
        let mut trained = self.parameters_of(|node| !node.frozen);
        trained.retain(|(_, parameter)| !parameter.is_statistic);
        trained
    }

    fn parameters_of(&self, is_wanted: impl Fn(&Node) -> bool + Copy) -> Vec<(String, Parameter)> {
        let is_first = |index: &usize| self.nodes[..*index].iter().all(|node| node.name != self.nodes[*index].name);
        let wanted = (0..self.nodes.len()).filter(is_first).filter(|index| is_wanted(&self.nodes[*index]));
        let named = |index: usize| {
            let node = &self.nodes[index];
            let parameters: Vec<(String, Parameter)> = match node.layer {
                Layer::Model(network) => network.parameters_of(is_wanted),
                _ => self.own_parameters(index).into_iter().map(|parameter| (parameter.name.to_string(), parameter)).collect(),
            };
            parameters.into_iter().map(move |(name, parameter)| (format!("{}.{name}", node.name), parameter))
        };
        wanted.flat_map(named).collect()
    }

    fn own_parameters(&self, index: usize) -> Vec<Parameter> {
        self.inferred(index).map(|inferred| inferred.parameters.as_slice().to_vec()).unwrap_or_default()
    }

    /// The number of values in the weights and biases of the layer of node `index`; of a network, those of its layers.
    pub fn count_params_of(&self, index: usize) -> u64 {
        match self.nodes[index].layer {
            Layer::Model(network) => network.count_params(),
            _ => values(self.own_parameters(index).iter().filter(|parameter| !parameter.is_statistic)),
        }
    }

    /// The number of values in weights and biases and their like: what papers and PyTorch count.
    pub fn count_params(&self) -> u64 {
        values(self.parameters().iter().map(|(_, parameter)| parameter).filter(|parameter| !parameter.is_statistic))
    }

    /// The number of values that training changes by their gradients.
    pub fn count_trained(&self) -> u64 {
        values(self.trained_parameters().iter().map(|(_, parameter)| parameter))
    }

    /// The number of values in running statistics, which Keras counts as parameters that are not trained.
    pub fn count_statistics(&self) -> u64 {
        values(self.parameters().iter().map(|(_, parameter)| parameter).filter(|parameter| parameter.is_statistic))
    }

    /// Multiply-adds for one example, or `None` while a size is unknown.
    pub fn macs(&self) -> Option<u64> {
        rules::total((0..self.nodes.len()).map(|index| self.inferred(index).ok()?.macs))
    }

    /// Values in the largest tensor of one example, or `None` while a size is unknown.
    pub fn largest_tensor(&self) -> Option<usize> {
        self.nodes.iter().try_fold(0, |largest, node| Some(largest.max(rules::elements(&node.shape)?)))
    }

    /// The receptive field of every node.
    pub fn receptive_fields(&self) -> Vec<Field> {
        self.fields().into_iter().map(|(field, _)| field).collect()
    }

    /// How far an output cell sees, where the whole network is one layer.
    fn reach(&self) -> Reach {
        let fields = self.fields();
        match self.outputs.iter().map(|output| fields[*output]).reduce(wider) {
            Some((Field::Cells(span), strides)) => Reach::Window { span, strides },
            _ => Reach::Whole,
        }
    }

    /// The receptive field of every node, and the cells of the input from one of its cells to the next.
    fn fields(&self) -> Vec<(Field, [usize; 2])> {
        let reach = |index: usize, node: &Node| match node.layer {
            Layer::Model(network) => network.reach(),
            _ => self.inferred(index).map_or(Reach::Cell, |inferred| inferred.reach),
        };
        fields(self.nodes.iter().enumerate().map(|(index, node)| (node.inputs, reach(index, node))))
    }
}

impl Field {
    /// The receptive field of each layer from what it is applied to, layers before it, and how far it reaches.
    pub fn of_each<'a>(layers: impl IntoIterator<Item = (&'a [usize], Reach)>) -> Vec<Self> {
        fields(layers).into_iter().map(|(field, _)| field).collect()
    }
}

/// The receptive field of each layer, and the cells of the input from one of its cells to the next (Araujo, Norris & Sim,
/// "Computing receptive fields of CNNs", 2019).
fn fields<'a>(layers: impl IntoIterator<Item = (&'a [usize], Reach)>) -> Vec<(Field, [usize; 2])> {
    let mut fields: Vec<(Field, [usize; 2])> = Vec::new();
    for (inputs, reach) in layers {
        let start = inputs.iter().map(|input| fields[*input]).reduce(wider).unwrap_or((Field::Cells([1, 1]), [1, 1]));
        fields.push(widen(start, reach));
    }
    fields
}

/// The larger field of two branches that meet.
fn wider((a, jump_a): (Field, [usize; 2]), (b, jump_b): (Field, [usize; 2])) -> (Field, [usize; 2]) {
    let max = |a: [usize; 2], b: [usize; 2]| [a[0].max(b[0]), a[1].max(b[1])];
    match (a, b) {
        (Field::Cells(a), Field::Cells(b)) => (Field::Cells(max(a, b)), max(jump_a, jump_b)),
        _ => (Field::Whole, max(jump_a, jump_b)),
    }
}

/// The field after one more layer: `r + (span − 1)·jump`, where the jump is the product of the strides so far.
fn widen((field, jump): (Field, [usize; 2]), reach: Reach) -> (Field, [usize; 2]) {
    match (field, reach) {
        (Field::Cells(cells), Reach::Window { span, strides }) => {
            let axis = |i: usize| cells[i].saturating_add((span[i] - 1).saturating_mul(jump[i]));
            let jump = |i: usize| jump[i].saturating_mul(strides[i]);
            (Field::Cells([axis(0), axis(1)]), [jump(0), jump(1)])
        }
        (Field::Cells(cells), Reach::Transposed { span, strides }) => {
            let axis = |i: usize| cells[i].saturating_add((span[i] - 1).saturating_mul(jump[i]));
            // A jump of less than a cell counts as one: the field is then an upper bound.
            (Field::Cells([axis(0), axis(1)]), [0, 1].map(|i: usize| (jump[i] / strides[i]).max(1)))
        }
        (field, Reach::Cell) => (field, jump),
        _ => (Field::Whole, jump),
    }
}

/// How many values parameters have together; it saturates instead of overflowing.
fn values<'a>(parameters: impl Iterator<Item = &'a Parameter>) -> u64 {
    parameters.map(Parameter::count).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2D, Dense, Flatten, Input, MaxPooling2D};

    const IMAGE: Shape = Shape::new([28, 28, 1]);
    const GRAPH: Graph = Graph {
        name: "Net",
        nodes: &[
            Node { name: "input", tensor: "i", layer: Layer::Input(Input::new(IMAGE)), inputs: &[], shape: IMAGE, frozen: false },
            node("conv2d", Layer::Conv2D(Conv2D::new(32, [3, 3]).strides([2, 2])), &[0], Shape::new([13, 13, 32])),
            node("max_pooling2d", Layer::MaxPooling2D(MaxPooling2D::new()), &[1], Shape::new([6, 6, 32])),
            node("conv2d_1", Layer::Conv2D(Conv2D::new(64, [3, 3])), &[2], Shape::new([4, 4, 64])),
            node("flatten", Layer::Flatten(Flatten::new()), &[3], Shape::new([1024])),
            node("dense", Layer::Dense(Dense::new(10)), &[4], Shape::new([10])),
        ],
        inputs: &[0],
        outputs: &[5],
    };

    const fn node(name: &'static str, layer: Layer, inputs: &'static [usize], shape: Shape) -> Node {
        Node { name, tensor: "x", layer, inputs, shape, frozen: false }
    }

    #[test]
    fn counts_parameters_by_name() {
        let names: Vec<String> = GRAPH.parameters().into_iter().map(|(name, _)| name).collect();
        let expected = ["conv2d.weight", "conv2d.bias", "conv2d_1.weight", "conv2d_1.bias", "dense.weight", "dense.bias"];
        assert_eq!(names, expected);
        assert_eq!(GRAPH.count_params(), 320 + 18_496 + 10_250);
        assert_eq!(GRAPH.macs(), Some(13 * 13 * 32 * 9 + 16 * 64 * 288 + 10_240));
    }

    #[test]
    fn networks_too_large_for_any_number_are_counted() {
        const WIDE: usize = Shape::MAX_SIZE;
        let layer = Layer::Conv2D(Conv2D::new(WIDE, [3, 3]));
        let mut nodes = [node("input", Layer::Input(Input::new(Shape::new([WIDE, WIDE, WIDE]))), &[], Shape::new([WIDE; 3])); 4];
        for (index, inputs) in [&[0], &[1], &[2]].into_iter().enumerate() {
            let side = WIDE - 2 * (index + 1);
            nodes[index + 1] = node(["a", "b", "c"][index], layer, inputs, Shape::new([side, side, WIDE]));
        }
        let graph = Graph { nodes: Box::leak(Box::new(nodes)), outputs: &[3], ..GRAPH };
        assert_eq!(graph.count_params_of(1), 9_000_000_001_000_000_000);
        assert_eq!((graph.count_params(), graph.count_trained()), (u64::MAX, u64::MAX));
        assert_eq!((graph.macs(), graph.largest_tensor()), (Some(u64::MAX), Some(usize::MAX)));
    }

    #[test]
    fn a_transposed_convolution_halves_the_jump() {
        let strided = Reach::Window { span: [3, 3], strides: [2, 2] };
        let after = widen((Field::Cells([1, 1]), [1, 1]), strided);
        let transposed = Reach::Transposed { span: [2, 1], strides: [2, 2] };
        assert_eq!(widen(after, transposed), (Field::Cells([5, 3]), [1, 1]));
    }

    #[test]
    fn counts_frozen_layers_and_statistics_apart() {
        let maps = Shape::new([13, 13, 32]);
        let mut nodes = [
            GRAPH.nodes[0],
            Node { frozen: true, ..GRAPH.nodes[1] },
            node("batch_normalization", Layer::BatchNormalization(crate::BatchNormalization::new()), &[1], maps),
        ];
        let graph = Graph { nodes: Box::leak(Box::new(nodes)), outputs: &[2], ..GRAPH };
        assert_eq!((graph.count_params(), graph.count_trained(), graph.count_statistics()), (320 + 64, 64, 64));
        nodes[2].frozen = true;
        let graph = Graph { nodes: Box::leak(Box::new(nodes)), outputs: &[2], ..GRAPH };
        assert_eq!((graph.count_params(), graph.count_trained(), graph.count_statistics()), (320 + 64, 0, 64));
    }

    #[test]
    fn receptive_fields_grow_with_the_stride() {
        let cells = |n: usize| Field::Cells([n, n]);
        let expected = [cells(1), cells(3), cells(5), cells(13), Field::Whole, Field::Whole];
        assert_eq!(GRAPH.receptive_fields(), expected);
    }
}
