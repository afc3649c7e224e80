//! `summary`: a table of a network's layers with their shapes, parameters, cost and receptive fields.

use crate::spec::{Field, Graph, Node};
use crate::{Model, Network};
use cnn_draw::grouped;
use comfy_table::{Cell, CellAlignment, Table, presets};
use std::fmt;

impl<N: Network> Model<N> {
    /// A table of the layers, to print; its width is that of its contents, on a terminal or not.
    pub fn summary(&self) -> Summary {
        Summary(N::GRAPH)
    }
}

/// A table of a network's layers, as Keras' `summary`, with the multiply-adds and the receptive field of each.
///
/// Multiply-adds are those of one example; a receptive field is the part of the input that one cell of the layer's output
/// depends on.
#[derive(Clone, Copy, Debug)]
pub struct Summary(Graph);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = &self.0;
        writeln!(f, "Model: {}", graph.name)?;
        writeln!(f, "{}", table(graph))?;
        let params = graph.count_params();
        writeln!(f, "Parameters: {} ({})", grouped(params), bytes(params.saturating_mul(4)))?;
        let (trained, statistics) = (graph.count_trained(), graph.count_statistics());
        if trained < params || statistics > 0 {
            let frozen = grouped(params - trained);
            writeln!(f, "Trained: {}, frozen: {frozen}, running statistics: {}", grouped(trained), grouped(statistics))?;
        }
        write!(f, "Multiply-adds: {}", grouped_or_unknown(graph.macs()))
    }
}

fn table(graph: &Graph) -> Table {
    let branches = !is_chain(graph);
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let header = ["Layer (type)", "Output shape", "Parameters", "Multiply-adds", "Receptive field"];
    table.set_header(header.into_iter().chain(branches.then_some("Connected to")));
    for (index, (node, field)) in graph.nodes.iter().zip(graph.receptive_fields()).enumerate() {
        let inferred = graph.inferred(index).ok();
        let params = graph.count_params_of(index);
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        let mut row = vec![
            Cell::new(format!("{} ({})", node.name, node.layer.name())),
            Cell::new(node.shape),
            right(grouped(params)),
            right(grouped_or_unknown(inferred.and_then(|inferred| inferred.macs))),
            right(receptive_field(field)),
        ];
        if branches {
            row.push(Cell::new(inputs(graph, node)));
        }
        table.add_row(row);
    }
    table
}

/// Whether each layer is applied to the one before it.
fn is_chain(graph: &Graph) -> bool {
    graph.nodes.iter().enumerate().all(|(index, node)| match node.inputs {
        [] => index == 0,
        [input] => input + 1 == index,
        _ => false,
    })
}

fn inputs(graph: &Graph, node: &Node) -> String {
    node.inputs.iter().map(|input| graph.nodes[*input].name).collect::<Vec<_>>().join(", ")
}

fn receptive_field(field: Field) -> String {
    match field {
        Field::Cells([height, width]) => format!("{height}×{width}"),
        Field::Whole => "whole".into(),
    }
}

fn grouped_or_unknown(number: Option<u64>) -> String {
    number.map_or("_".into(), grouped)
}

/// A size in memory, in units of 1024 as Keras has them.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    let mut size = count as f64 / 1024.;
    let mut unit = 0;
    while size >= 1024. && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1024., unit + 1);
    }
    if count < 1024 { format!("{count} B") } else { format!("{size:.2} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{BatchNormalization, Conv2D, Dim, GlobalMaxPooling2D, Input, Layer, MaxPooling2D, Shape};
    use crate::testing::Tiny;

    const fn node(name: &'static str, layer: Layer, inputs: &'static [usize], shape: Shape) -> Node {
        Node { name, tensor: "x", layer, inputs, shape, frozen: false }
    }

    #[test]
    fn is_a_table_with_totals() {
        let expected = "\
Model: Tiny
┌───────────────────┬──────────────┬────────────┬───────────────┬─────────────────┐
│ Layer (type)      ┆ Output shape ┆ Parameters ┆ Multiply-adds ┆ Receptive field │
╞═══════════════════╪══════════════╪════════════╪═══════════════╪═════════════════╡
│ input (Input)     ┆ 2×3×2        ┆          0 ┆             0 ┆             1×1 │
│ flatten (Flatten) ┆ 12           ┆          0 ┆             0 ┆           whole │
│ dense (Dense)     ┆ 8            ┆        104 ┆            96 ┆           whole │
│ dense_1 (Dense)   ┆ 3            ┆         27 ┆            24 ┆           whole │
└───────────────────┴──────────────┴────────────┴───────────────┴─────────────────┘
Parameters: 131 (524 B)
Multiply-adds: 120";
        assert_eq!(Summary(Tiny::GRAPH).to_string(), expected);
    }

    #[test]
    fn what_is_trained_frozen_and_kept_is_counted_apart() {
        let (image, maps) = (Shape::new([8, 8, 3]), Shape::new([6, 6, 8]));
        let conv2d = node("conv2d", Layer::Conv2D(Conv2D::new(8, [3, 3])), &[0], maps);
        let nodes = [
            node("input", Layer::Input(Input::new(image)), &[], image),
            Node { frozen: true, ..conv2d },
            node("batch_normalization", Layer::BatchNormalization(BatchNormalization::new()), &[1], maps),
        ];
        let graph = Graph { name: "Net", nodes: Box::leak(Box::new(nodes)), inputs: &[0], outputs: &[2] };
        let text = Summary(graph).to_string();
        let expected = "Parameters: 240 (960 B)\nTrained: 16, frozen: 224, running statistics: 16\nMultiply-adds: ";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn unknown_sizes_and_branches_have_their_place() {
        let image = Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(3)]);
        let maps = Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(8)]);
        let nodes = [
            node("input", Layer::Input(Input::new(image)), &[], image),
            node("conv2d", Layer::Conv2D(Conv2D::new(8, [3, 3])), &[0], maps),
            node("max_pooling2d", Layer::MaxPooling2D(MaxPooling2D::new()), &[0], image),
            node("global_max_pooling2d", Layer::GlobalMaxPooling2D(GlobalMaxPooling2D::new()), &[1], Shape::new([8])),
        ];
        let graph = Graph { name: "Net", nodes: Box::leak(Box::new(nodes)), inputs: &[0], outputs: &[2, 3] };
        let text = Summary(graph).to_string();
        assert!(text.contains("┆ Connected to │"), "{text}");
        assert!(text.contains("│ conv2d (Conv2D)                           ┆ _×_×8        ┆        224 ┆             _ ┆             3×3 ┆ input        │"), "{text}");
        assert!(text.ends_with("Parameters: 224 (896 B)\nMultiply-adds: _"), "{text}");
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!([512, 4 * 360_458, 4 * 138_357_544].map(bytes), ["512 B", "1.38 MB", "527.79 MB"]);
    }
}
