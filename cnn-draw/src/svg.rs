//! The picture of a network: its blocks as boxes, and beside them what is inside each kind of block, drawn once.

use crate::architecture::Architecture;
use crate::layered::Size;
use crate::outline::{Fold, Item, Outline, Part, Pattern, stem};
use crate::panel::{Panel, SMALL, panel};
use crate::text::{escaped, fitted, width};
use crate::volumes::volumes;
use std::collections::HashMap;
use std::fmt::Write;

/// A part of so few layers is drawn with all blocks in it opened.
const FEW: usize = 12;
/// A trunk of fewer boxes than this opens the blocks it is made of.
const TOO_FEW: usize = 5;
/// With more boxes than this, equal layers in a row become one.
const MANY: usize = 40;
/// A trunk of more boxes than this from top to bottom goes on in another column.
const LONG: usize = 17;
/// What rustdoc gives a picture without making it smaller.
const PAGE_WIDTH: f64 = 940.;
const MARGIN: f64 = 8.;
/// The space between the insides of blocks.
const GAP: f64 = 16.;
const FRAME: f64 = 14.;
const TITLE: f64 = 34.;

/// The architecture as an `<svg>` element of one line, whose lines and text are in the colour of what is around it: for a page, be
/// it light or dark.
///
/// # Panics
/// If there is no layer.
pub fn picture(net: &Architecture) -> String {
    let page = Page::new(net);
    format!(r#"<svg {} style="max-width:100%;height:auto">{}</svg>"#, page.attributes(), page.svg)
}

/// The architecture as an SVG file, on white.
///
/// # Panics
/// If there is no layer.
pub fn standalone(net: &Architecture) -> String {
    let page = Page::new(net);
    let name = escaped(&net.name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" {} color=\"#202428\">\n<title>{name}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}\n</svg>\n",
        page.attributes(),
        page.svg
    )
}

struct Page {
    size: Size,
    svg: String,
}

/// Blocks of one kind: those of one name whose layers are the same but for their arguments.
struct Group {
    stem: String,
    parts: Vec<Part>,
    names: Vec<String>,
}

impl Page {
    fn new(net: &Architecture) -> Self {
        if let Some(chain) = volumes(net, PAGE_WIDTH - 2. * MARGIN) {
            return arranged(chain, &[]);
        }
        let whole = net.whole();
        let trunk = trunk(net, &whole);
        let groups = groups(net, &trunk);
        let pieces = trunk.pieces(net, LONG).into_iter().map(|(outline, part)| panel(net, &outline, &[part]));
        let main = side_by_side(pieces.collect());
        let details: Vec<Panel> =
            groups.iter().map(|group| framed(group, panel(net, &inside(net, &group.parts[0]), &group.parts))).collect();
        arranged(main, &details)
    }

    fn attributes(&self) -> String {
        let Size { width, height } = self.size;
        format!(
            r#"width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="Fira Sans,Helvetica,Arial,sans-serif" font-size="12" fill="currentColor" role="img""#
        )
    }
}

/// The network with as few blocks opened as show something.
fn trunk(net: &Architecture, whole: &Part) -> Outline {
    let depth = net.depth(whole);
    if whole.layers.len() <= FEW {
        return net.outline(whole, depth, Fold::Nothing);
    }
    let mut outlines = (0..=depth).map(|depth| net.outline(whole, depth, Fold::Blocks));
    let outline =
        outlines.find(|outline| outline.items.len() >= TOO_FEW).unwrap_or_else(|| net.outline(whole, depth, Fold::Blocks));
    let opened = outline.items.iter().filter_map(|item| item.block).max().map_or(depth, |level| level - 1);
    if outline.items.len() > MANY { net.outline(whole, opened, Fold::Everything) } else { outline }
}

/// What is drawn of the inside of a block.
fn inside(net: &Architecture, part: &Part) -> Outline {
    let depth = if part.layers.len() <= FEW { net.depth(part) } else { 0 };
    net.outline(part, depth, if depth > 0 { Fold::Nothing } else { Fold::Blocks })
}

/// Every kind of block in the trunk, and of those inside these.
fn groups(net: &Architecture, trunk: &Outline) -> Vec<Group> {
    let mut places: HashMap<Pattern, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut waiting: Vec<Item> = trunk.items.iter().flat_map(runs).collect();
    let mut next = 0;
    while let Some(item) = waiting.get(next).cloned() {
        next += 1;
        let Some(level) = item.block else { continue };
        let (part, name) = (Part { layers: item.first.clone(), level }, net.item_name(&item));
        waiting.extend(inside(net, &part).items.iter().flat_map(runs));
        let place = *places.entry(net.pattern(&item)).or_insert_with(|| {
            groups.push(Group { stem: stem(name).into(), parts: Vec::new(), names: Vec::new() });
            groups.len() - 1
        });
        groups[place].parts.push(part);
        groups[place].names.push(name.into());
    }
    groups
}

/// The blocks of a run, one by one.
fn runs(item: &Item) -> Vec<Item> {
    let length = item.first.len();
    let nth = |index: usize| {
        let start = item.layers.start + index * length;
        Item { layers: start..start + length, first: start..start + length, repeats: 1, block: item.block }
    };
    (0..item.repeats).map(nth).collect()
}

/// The inside of a block in a frame with its name.
fn framed(group: &Group, inner: Panel) -> Panel {
    let names = group.names.join(", ");
    let said = if names == group.stem { "" } else { names.as_str() };
    let wide = inner.size.width.max(width(&group.stem, 14.)).max(110.);
    let title = if said.is_empty() { TITLE - 14. } else { TITLE };
    let size = Size { width: wide + 2. * FRAME, height: inner.size.height + title + 2. * FRAME };
    let mut svg = format!(
        r#"<rect x=".5" y=".5" width="{:.1}" height="{:.1}" rx="7" fill="currentColor" fill-opacity=".03" stroke="currentColor" stroke-opacity=".3"/>"#,
        size.width - 1.,
        size.height - 1.
    );
    let _ = write!(svg, "<g><title>{}</title>", escaped(&names));
    let _ = write!(svg, r#"<text x="{FRAME}" y="21" font-size="13" font-weight="600">{}</text>"#, escaped(&group.stem));
    let said = escaped(&fitted(said, SMALL, wide));
    let _ = write!(svg, r#"<text x="{FRAME}" y="36" font-size="{SMALL}" fill-opacity=".65">{said}</text></g>"#);
    let left = FRAME + (wide - inner.size.width) / 2.;
    let _ = write!(svg, r#"<g transform="translate({left:.1} {:.1})">{}</g>"#, FRAME + title, inner.svg);
    Panel { size, svg, ..inner }
}

/// The pieces of the trunk, with a dotted line from the end of each to the beginning of the next.
fn side_by_side(pieces: Vec<Panel>) -> Panel {
    const GUTTER: f64 = 34.;
    let mut pieces = pieces.into_iter();
    let mut all = pieces.next().unwrap_or(Panel {
        size: Size { width: 0., height: 0. },
        svg: String::new(),
        entry: (0., 0.),
        exit: (0., 0.),
    });
    for piece in pieces {
        let (x, gutter) = (all.size.width + GUTTER, all.size.width + GUTTER / 2.);
        let (from, to) = (all.exit, (x + piece.entry.0, piece.entry.1));
        let _ = write!(all.svg, r#"<g transform="translate({x:.1} 0)">{}</g>"#, piece.svg);
        let _ = write!(
            all.svg,
            r#"<path d="M{:.1} {:.1}v4q0 6 6 6H{:.1}q6 0 6-6V{:.1}q0-6 6-6H{:.1}" fill="none" stroke="currentColor" stroke-opacity=".6" stroke-dasharray="2 3"/>"#,
            from.0,
            from.1,
            gutter - 6.,
            to.1 + 6.,
            to.0 - 4.
        );
        all.size = Size { width: x + piece.size.width, height: all.size.height.max(piece.size.height).max(from.1 + 12.) };
        all.exit = (x + piece.exit.0, piece.exit.1);
    }
    all
}

/// The trunk, and the insides of blocks beside it, or under it where it is wide.
fn arranged(main: Panel, details: &[Panel]) -> Page {
    let widest = details.iter().map(|panel| panel.size.width).fold(0., f64::max);
    let left = main.size.width + 2. * MARGIN + 28.;
    let (places, width) = match left + widest <= PAGE_WIDTH {
        true => beside(details, left, main.size.height),
        false => under(details, main.size.height + 28., widest.max(main.size.width)),
    };
    let mut svg = format!(r#"<g transform="translate({MARGIN} {MARGIN})">{}</g>"#, main.svg);
    let mut bottom = main.size.height;
    for (panel, (x, y)) in details.iter().zip(&places) {
        let _ = write!(svg, r#"<g transform="translate({x:.1} {:.1})">{}</g>"#, y + MARGIN, panel.svg);
        bottom = bottom.max(y + panel.size.height);
    }
    let width = width.max(main.size.width + MARGIN) + MARGIN;
    Page { size: Size { width, height: bottom + 2. * MARGIN }, svg }
}

/// Where panels stand in columns from `left` on, taller than `height` only as far as a page is too narrow, and where the last ends.
fn beside(panels: &[Panel], left: f64, height: f64) -> (Vec<(f64, f64)>, f64) {
    let tallest = panels.iter().map(|panel| panel.size.height).fold(height, f64::max);
    let mut limit = tallest;
    let mut placed = columns(panels, left, limit);
    while placed.1 > PAGE_WIDTH && limit < 4. * tallest {
        limit *= 1.2;
        placed = columns(panels, left, limit);
    }
    placed
}

/// Where panels stand in rows from `top` on, no wider than the page or `least`, and where the widest row ends.
fn under(panels: &[Panel], top: f64, least: f64) -> (Vec<(f64, f64)>, f64) {
    let room = PAGE_WIDTH.max(least + 2. * MARGIN);
    let (mut x, mut y, mut below, mut width) = (MARGIN, top, top, 0_f64);
    let place = |panel: &Panel| {
        if x > MARGIN && x + panel.size.width > room {
            (x, y) = (MARGIN, below);
        }
        let at = (x, y);
        x += panel.size.width;
        (width, below) = (width.max(x), below.max(y + panel.size.height + GAP));
        x += GAP;
        at
    };
    let places = panels.iter().map(place).collect();
    (places, width)
}

/// Where panels stand in columns no taller than `height`, each in the first with room for it, and where the last column ends.
fn columns(panels: &[Panel], left: f64, height: f64) -> (Vec<(f64, f64)>, f64) {
    let mut columns: Vec<(f64, f64)> = Vec::new();
    let mut chosen = Vec::new();
    for panel in panels {
        let place = columns.iter().position(|(_, bottom)| bottom + GAP + panel.size.height <= height);
        let place = place.unwrap_or_else(|| {
            columns.push((0., -GAP));
            columns.len() - 1
        });
        let (wide, bottom) = &mut columns[place];
        chosen.push((place, *bottom + GAP));
        (*wide, *bottom) = (wide.max(panel.size.width), *bottom + GAP + panel.size.height);
    }
    let x = |place: usize| left + columns[..place].iter().map(|(wide, _)| wide + GAP).sum::<f64>();
    (chosen.into_iter().map(|(place, y)| (x(place), y)).collect(), x(columns.len()) - GAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::tests::{network, residual};

    /// Checks that every element is closed, and gives their names with their attributes.
    fn elements(svg: &str) -> Vec<&str> {
        let (mut open, mut all) = (Vec::new(), Vec::new());
        for tag in svg.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag ends").0) {
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "{svg}");
                continue;
            }
            assert!(tag.matches('"').count() % 2 == 0, "{tag}");
            all.push(tag);
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}\n{svg}");
        all
    }

    fn boxes(svg: &str) -> usize {
        elements(svg).iter().filter(|element| element.starts_with("rect") && !element.contains("fill-opacity=\".03\"")).count()
    }

    /// A network of so many layers in a row, without blocks.
    fn chain(length: usize) -> Architecture {
        let line = |at: usize| format!("dense_{at} Dense({at}) < {}", at - 1);
        let mut net = network(&["i Input".to_string()].into_iter().chain((1..length).map(line)).collect::<Vec<_>>().join("\n"));
        net.layers[0].shape = Some(cnn_spec::Shape::new([784]));
        net
    }

    #[test]
    fn a_picture_is_one_line_of_closed_elements() {
        for net in [residual(), chain(3), chain(60), network("input Input\nconv2d Conv2D(4) < 0")] {
            let svg = picture(&net);
            assert!(!svg.contains('\n') && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            elements(&svg);
            elements(&standalone(&net));
        }
    }

    #[test]
    fn a_small_network_is_drawn_whole() {
        let svg = picture(&residual());
        // The activation under each convolution is a strip of its box.
        assert_eq!(boxes(&svg), 11);
        assert_eq!(svg.matches("<title>residual_1.").count(), 3);
    }

    #[test]
    fn blocks_of_a_larger_network_are_boxes_with_their_insides_beside() {
        let mut lines = vec!["input Input".to_string()];
        for block in 0..9 {
            let at = lines.len();
            let filters = if block < 6 { 4 } else { 8 };
            lines.push(format!("res_{block}.conv2d Conv2D({filters}) < {}", at - 1));
            lines.push(format!("res_{block}.add Add < {at} {}", at - 1));
            lines.push(format!("max_pooling2d_{block} MaxPooling2D < {}", at + 1));
        }
        let svg = picture(&network(&lines.join("\n")));
        // The input, a box for each block and each pooling, and the two layers inside one block.
        assert_eq!(boxes(&svg), 1 + 2 * 9 + 2);
        assert!(svg.contains(">Conv2D</text>") && svg.contains(">(…)</text>"), "{svg}");
        assert!(svg.contains("stroke-dasharray"), "the trunk goes on in another column");
    }

    #[test]
    fn names_and_arguments_are_text_and_not_markup() {
        let mut net = residual();
        net.layers[1].arguments[0].text = "A < B && \"c\"".into();
        let svg = picture(&net);
        elements(&svg);
        assert!(svg.contains("Conv2D(A &lt; B &amp;&amp; &quot;c&quot;)"), "{svg}");
    }

    #[test]
    fn no_text_is_wider_than_its_box() {
        let mut net = residual();
        net.layers[1].arguments[0].text = "w".repeat(200);
        let svg = picture(&net);
        assert!(svg.contains("www…</text>"), "{svg}");
    }
}
