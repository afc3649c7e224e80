//! What the documentation of a model's type says after the user's own words: its size, its layers, and its picture.

use crate::expand::docs;
use crate::graph::{self, Described, Graph, Node};
use crate::report::spaced;
use cnn_draw::{Architecture, Argument, Layer, arguments, grouped, picture, table};
use cnn_spec::{Field, Operand, Reach};
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use std::ffi::OsStr;
use std::path::Path;

/// The attributes of the type, which follow those of the user if it `has_words`.
pub fn document(name: &str, graph: &Graph, has_words: bool) -> TokenStream {
    let shape = |node: usize| cnn_draw::shape(graph.nodes[node].shape);
    let inputs: Vec<String> = graph.inputs.iter().map(|node| shape(*node)).collect();
    let outputs: Vec<String> = graph.outputs.iter().map(|edge| shape(edge.node)).collect();
    let parameters = graph.count_parameters().map_or_else(String::new, |count| format!(", {} parameters", grouped(count)));
    let facts = format!("{} → {}{parameters}.", inputs.join(", "), outputs.join(", "));
    let smallest = graph.smallest_input().map_or_else(String::new, |smallest| {
        let smallest: Vec<String> = smallest.iter().map(|shape| shape.to_string()).collect();
        format!(" The smallest input is {}.", smallest.join(", "))
    });
    let facts = facts + &smallest;
    let net = architecture(name, graph);
    let table = table(&net);
    let lines = has_words.then_some("").into_iter().chain([facts.as_str(), ""]).chain(table.lines());
    let lines = docs(lines.map(str::to_string));
    // Editors show documentation too, and would show the source of the picture.
    let picture = may_be_rustdoc().then(|| {
        let picture = format!(" <div>{}</div>", picture(&net));
        quote_spanned!(Span::mixed_site()=> #[cfg_attr(doc, doc = "", doc = #picture)])
    });
    quote_spanned!(Span::mixed_site()=> #lines #picture)
}

/// Whether the program that expands the macro may be one that shows pictures, for which they must be drawn.
fn may_be_rustdoc() -> bool {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_stem).and_then(OsStr::to_str);
    !name.is_some_and(|name| ["rustc", "clippy-driver", "rust-analyzer-proc-macro-srv"].contains(&name))
}

/// The network as tables and pictures take it; what only the compiler knows is left open.
pub fn architecture(name: &str, graph: &Graph) -> Architecture {
    let mut seen = vec![false; graph.layers.len()];
    let layer = |(node, field): (&Node, Option<Field>)| {
        let applied = &graph.layers[node.layer];
        let is_new = !std::mem::replace(&mut seen[node.layer], true);
        let parameters = applied.inferred.map(|inferred| inferred.parameters.count());
        Layer {
            name: graph.name(applied).path.clone(),
            kind: applied.kind(),
            arguments: written(applied),
            inputs: node.inputs.clone(),
            shape: node.shape,
            parameters: if is_new { parameters } else { Some(0) },
            macs: if is_new { applied.inferred.and_then(|inferred| inferred.macs) } else { macs_again(graph, node) },
            field,
            frozen: applied.frozen,
        }
    };
    let layers = graph.nodes.iter().zip(fields(graph)).map(layer).collect();
    Architecture { name: name.into(), layers, outputs: graph.outputs.iter().map(|edge| edge.node).collect() }
}

/// The arguments of a layer, with constants as they were written.
fn written(layer: &graph::Layer) -> Vec<Argument> {
    match &layer.layer {
        Described::Known(known) => arguments(known.name(), known.settings()),
        Described::Constants(settings, constants) => {
            let with = |text: String| constants.iter().fold(text, |text, (name, tokens)| text.replace(name, &spaced(tokens)));
            let arguments = arguments(&layer.kind.to_string(), settings.clone());
            arguments.into_iter().map(|argument| Argument { text: with(argument.text), ..argument }).collect()
        }
        Described::Model | Described::Custom(..) => Vec::new(),
    }
}

/// The receptive fields, none from the first layer on whose reach is not known.
fn fields(graph: &Graph) -> Vec<Option<Field>> {
    let reach = |node: &Node| graph.layers[node.layer].inferred.map(|inferred| inferred.reach);
    let all = Field::of_each(graph.nodes.iter().map(|node| (node.inputs.as_slice(), reach(node).unwrap_or(Reach::Cell))));
    let mut fields: Vec<Option<Field>> = Vec::with_capacity(all.len());
    for (node, field) in graph.nodes.iter().zip(all) {
        let is_known = reach(node).is_some() && node.inputs.iter().all(|input| fields[*input].is_some());
        fields.push(is_known.then_some(field));
    }
    fields
}

/// The multiply-adds of a layer where it is applied again, maybe to another shape.
fn macs_again(graph: &Graph, node: &Node) -> Option<u64> {
    let operand = |input: &usize| Some(Operand::new("x", graph.nodes[*input].shape?));
    let operands = node.inputs.iter().map(operand).collect::<Option<Vec<Operand>>>()?;
    graph.layers[node.layer].layer.known()?.infer(&operands).ok()?.macs
}
