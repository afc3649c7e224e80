//! The summary of a network as a Markdown table that fits on a screen, for the documentation of its type.

use crate::architecture::Architecture;
use crate::outline::{Fold, Item, Outline};
use crate::text::{counted, escaped, field, grouped, number, shape};
use cnn_spec::rules;

/// The most rows a reader is given; a network of more layers has blocks and runs in one row each.
const ROWS: usize = 24;

/// The layers with their output shapes, parameters and receptive fields, and what each is applied to where that is not the line
/// before; its last row has the totals.
pub fn table(net: &Architecture) -> String {
    let outline = fitting(net);
    let header = ["Layer", "", "Output", "Parameters", "Receptive field", "Applied to"].map(String::from);
    let rows = outline.items.iter().enumerate().map(|(place, item)| row(net, &outline, place, item));
    let rows: Vec<[String; 6]> =
        [header].into_iter().chain(shortened(net, &outline.items, rows.collect())).chain([total(net)]).collect();
    let columns = if rows[1..].iter().all(|row| row[5].is_empty()) { 5 } else { 6 };
    aligned(&rows, columns)
}

/// The outline with most detail that fits.
fn fitting(net: &Architecture) -> Outline {
    let (whole, depth) = (net.whole(), net.depth(&net.whole()));
    if net.layers.len() <= ROWS {
        return net.outline(&whole, depth, Fold::Nothing);
    }
    let folded = (0..=depth).rev().map(|depth| net.outline(&whole, depth, Fold::Everything));
    folded.into_iter().find(|outline| outline.items.len() <= ROWS).unwrap_or_else(|| net.outline(&whole, 0, Fold::Everything))
}

fn row(net: &Architecture, outline: &Outline, place: usize, item: &Item) -> [String; 6] {
    let (first, last) = (&net.layers[item.first.start], &net.layers[item.layers.end - 1]);
    let (name, last_name) = (net.item_name(item), net.last_name(item));
    let name = if item.repeats == 1 { format!("`{name}`") } else { format!("`{name}` – `{last_name}`") };
    let layers = counted(item.first.len(), "layer");
    let what = match (item.block, item.repeats) {
        (None, 1) => first.short_call(),
        (None, repeats) => format!("{repeats} × {}", first.short_call()),
        (Some(_), 1) => layers,
        (Some(_), repeats) => format!("{repeats} × {layers}"),
    };
    let parameters = rules::total(net.layers[item.layers.clone()].iter().map(|layer| layer.parameters));
    let sources: Vec<Option<usize>> = outline.edges.iter().filter(|edge| edge.to == place).map(|edge| edge.from).collect();
    let is_next = sources.iter().all(|source| source.is_some_and(|source| source + 1 == place));
    let mut sources: Vec<usize> = if is_next { Vec::new() } else { sources.into_iter().flatten().collect() };
    sources.dedup();
    let sources = sources.into_iter().map(|source| format!("`{}`", net.last_name(&outline.items[source])));
    let given: Vec<String> = net.leaving(&item.layers).into_iter().map(|layer| shape(net.layers[layer].shape)).collect();
    [name, escaped(&what), given.join(", "), number(parameters), field(last.field), sources.collect::<Vec<_>>().join(", ")]
}

/// The rows, those in the middle as one if there are too many.
fn shortened(net: &Architecture, items: &[Item], mut rows: Vec<[String; 6]>) -> Vec<[String; 6]> {
    if rows.len() <= ROWS {
        return rows;
    }
    let (from, to) = (ROWS * 2 / 3, rows.len() - (ROWS / 3 - 1));
    let layers = items[from].layers.start..items[to].layers.start;
    let parameters = rules::total(net.layers[layers.clone()].iter().map(|layer| layer.parameters));
    let left_out = ["…".into(), counted(layers.len(), "layer"), "".into(), number(parameters), "".into(), "".into()];
    rows.splice(from..to, [left_out]);
    rows
}

fn total(net: &Architecture) -> [String; 6] {
    let parameters = rules::total(net.layers.iter().map(|layer| layer.parameters));
    let macs = rules::total(net.layers.iter().map(|layer| layer.macs));
    let macs = macs.map_or(String::new(), |macs| format!("{} multiply-adds", grouped(macs)));
    ["**Total**".into(), macs, "".into(), format!("**{}**", number(parameters)), "".into(), "".into()]
}

/// The rows as Markdown, so aligned that they are a table without a renderer too.
fn aligned(rows: &[[String; 6]], columns: usize) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let is_number = |column: usize| (2..5).contains(&column);
    let cell = |row: &[String; 6], column: usize| match is_number(column) {
        true => format!(" {:>1$} |", row[column], widths[column]),
        false => format!(" {:<1$} |", row[column], widths[column]),
    };
    let rule = |column: usize| match is_number(column) {
        true => format!(" {}: |", "-".repeat(widths[column] - 1)),
        false => format!(" {} |", "-".repeat(widths[column])),
    };
    let line = |row: &[String; 6]| format!("|{}", (0..columns).map(|column| cell(row, column)).collect::<String>());
    let rule = format!("|{}", (0..columns).map(rule).collect::<String>());
    let lines: Vec<String> = [line(&rows[0]), rule].into_iter().chain(rows[1..].iter().map(line)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::tests::{network, residual};

    #[test]
    fn a_small_network_has_a_row_for_each_layer() {
        let net = network("input Input(8, 8, 4)\nconv2d Conv2D(4) < 0\nconv2d_1 Conv2D(4) < 0\nadd Add < 1 2");
        let expected = "\
| Layer      |                         | Output | Parameters | Receptive field | Applied to           |
| ---------- | ----------------------- | -----: | ---------: | --------------: | -------------------- |
| `input`    | Input(8, 8, 4)          |  8×8×4 |      1,000 |             3×3 |                      |
| `conv2d`   | Conv2D(4)               |  8×8×4 |      1,000 |             3×3 |                      |
| `conv2d_1` | Conv2D(4)               |  8×8×4 |      1,000 |             3×3 | `input`              |
| `add`      | Add                     |  8×8×4 |      1,000 |             3×3 | `conv2d`, `conv2d_1` |
| **Total**  | 4,000,000 multiply-adds |        |  **4,000** |                 |                      |";
        assert_eq!(table(&net), expected);
    }

    #[test]
    fn a_chain_needs_no_column_for_what_a_layer_is_applied_to() {
        assert!(!table(&network("input Input\ndense Dense(8) < 0")).contains("Applied"));
        assert!(table(&residual()).contains("| `residual.re_lu`, `input` "));
    }

    #[test]
    fn a_deep_network_has_a_row_for_each_run_of_blocks() {
        let mut lines = vec!["input Input".to_string()];
        for block in 0..20 {
            let at = lines.len();
            lines.push(format!("b_{block}.conv2d Conv2D(4) < {}", at - 1));
            lines.push(format!("b_{block}.re_lu ReLU < {at}"));
        }
        let table = table(&network(&lines.join("\n")));
        assert_eq!(table.lines().count(), 5);
        assert!(table.contains("| `b_0` – `b_19` | 20 × 2 layers            |  8×8×4 |     40,000 |"), "{table}");
    }

    #[test]
    fn a_long_network_without_blocks_is_cut_in_the_middle() {
        let lines = (1..100).map(|at| format!("dense_{at} Dense({at}) < {}", at - 1));
        let net = network(&["input Input".to_string()].into_iter().chain(lines).collect::<Vec<_>>().join("\n"));
        let table = table(&net);
        assert_eq!(table.lines().count(), ROWS + 3);
        assert!(table.contains("| …          | 77 layers "), "{table}");
        assert!(table.contains("|      77,000 |"), "{table}");
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let mut net = network("input Input\ndense Dense(8) < 0");
        (net.layers[1].shape, net.layers[1].parameters, net.layers[1].macs, net.layers[1].field) = (None, None, None, None);
        let table = table(&net);
        assert!(table.contains("| `dense`   | Dense(8) |      … |          … |               … |"), "{table}");
        assert!(table.contains("| **Total** |          |        |      **…** |"), "{table}");
    }
}
