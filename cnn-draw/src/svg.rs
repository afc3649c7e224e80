//! The picture of a network: its blocks as boxes, and beside them what is inside each kind of block, drawn once.

use crate::architecture::Architecture;
use crate::layered::Size;
use crate::outline::{Fold, Item, Outline, Part, Pattern, stem};
use crate::panel::{Panel, SMALL, panel};
use crate::text::{escaped, fitted, width};
use std::collections::HashMap;
use std::fmt::Write;

/// A part of so few layers is drawn with all blocks in it opened.
const FEW: usize = 12;
/// A trunk of fewer boxes than this opens the blocks it is made of.
const TOO_FEW: usize = 5;
/// With more boxes than this, equal layers in a row become one.
const MANY: usize = 40;
/// What rustdoc gives a picture without making it smaller.
const PAGE_WIDTH: f64 = 940.;
const MARGIN: f64 = 8.;
const FRAME: f64 = 14.;
const TITLE: f64 = 34.;

/// The architecture as an `<svg>` element of one line, whose lines and text are in the colour of what is around it: for a page, be
/// it light or dark.
pub fn picture(net: &Architecture) -> String {
    let page = Page::new(net);
    format!(r#"<svg {} style="max-width:100%;height:auto">{}</svg>"#, page.attributes(), page.svg)
}

/// The architecture as an SVG file, on white.
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
        let whole = net.whole();
        let trunk = trunk(net, &whole);
        let groups = groups(net, &trunk);
        let main = panel(net, &trunk, &[whole]);
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
    Panel { size, svg }
}

/// The trunk on the left, and the insides of blocks in columns beside it.
fn arranged(main: Panel, details: &[Panel]) -> Page {
    let tallest = details.iter().map(|panel| panel.size.height).fold(main.size.height, f64::max);
    let left = main.size.width + 2. * MARGIN + 28.;
    let mut height = tallest;
    let mut places = columns(details, left, height);
    while places.1 > PAGE_WIDTH && height < 4. * tallest {
        height *= 1.2;
        places = columns(details, left, height);
    }
    let mut svg = format!(r#"<g transform="translate({MARGIN} {MARGIN})">{}</g>"#, main.svg);
    let mut bottom = main.size.height;
    for (panel, (x, y)) in details.iter().zip(&places.0) {
        let _ = write!(svg, r#"<g transform="translate({x:.1} {:.1})">{}</g>"#, y + MARGIN, panel.svg);
        bottom = bottom.max(y + panel.size.height);
    }
    let width = if details.is_empty() { main.size.width + 2. * MARGIN } else { places.1 + MARGIN };
    Page { size: Size { width, height: bottom + 2. * MARGIN }, svg }
}

/// Where panels stand in columns no taller than `height`, each in the first with room for it, and where the last column ends.
fn columns(panels: &[Panel], left: f64, height: f64) -> (Vec<(f64, f64)>, f64) {
    const GAP: f64 = 16.;
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
