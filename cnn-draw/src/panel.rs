//! One part of a network as boxes and arrows: the whole with its blocks closed, or the inside of a block.

use crate::architecture::{Architecture, Layer};
use crate::family::Family;
use crate::layered::{Layout, Link, RANK_GAP, Route, Size, layout};
use crate::outline::{Edge, Item, Outline, Part};
use crate::text::{counted, escaped, field, fitted, grouped, number, shape, width};
use cnn_spec::rules;
use std::fmt::Write;

const ROW: f64 = 26.;
/// A row with its arguments on a second line.
const TALL_ROW: f64 = 38.;
const STRIP: f64 = 18.;
const BLOCK: f64 = 32.;
const MARGIN: f64 = 9.;
const NARROWEST: f64 = 88.;
const WIDEST: f64 = 270.;
/// A panel wider than this has arguments on a line of their own.
const WIDE: f64 = 520.;
const TEXT: f64 = 12.;
/// The size of shapes and strips.
pub const SMALL: f64 = 10.5;
/// How far an arrow runs straight on before it bends.
const STRAIGHT: f64 = 15.;
/// How far down the side of a box lines come in and go out.
const IN: f64 = 0.3;
const OUT: f64 = 0.7;
/// The length of an arrow that leaves.
const EXIT: f64 = RANK_GAP - 8.;
/// The corners of lines that go around.
const BEND: f64 = 8.;

/// A drawing at the origin, and its size.
pub struct Panel {
    pub size: Size,
    pub svg: String,
    /// Where the first arrow begins.
    pub entry: (f64, f64),
    /// Where the last arrow ends.
    pub exit: (f64, f64),
}

/// What `outline` says of a part, which stands for all of `instances`; of what differs among them only the place is drawn.
pub fn panel(net: &Architecture, outline: &Outline, instances: &[Part]) -> Panel {
    let mut drawing = Drawing::new(net, outline, instances);
    let panel = drawing.draw();
    let rows =
        drawing.stacks.iter_mut().flat_map(|stack| &mut stack.rows).filter(|row| row.height == ROW && !row.arguments.is_empty());
    let mut is_same = true;
    for row in rows.filter(|row| panel.size.width > WIDE || row.width() > WIDEST) {
        row.height = TALL_ROW;
        is_same = false;
    }
    if is_same { panel } else { drawing.draw() }
}

/// A box: a layer with the strips that follow it, a block, or, without rows, a tensor that enters.
#[derive(Default)]
struct Stack {
    rows: Vec<Row>,
    /// Its layers.
    layers: Vec<usize>,
}

struct Row {
    name: String,
    arguments: String,
    height: f64,
    colour: &'static str,
    repeats: usize,
    is_block: bool,
    tooltip: String,
}

struct Drawing<'a> {
    net: &'a Architecture,
    instances: &'a [Part],
    consumers: Vec<Vec<usize>>,
    stacks: Vec<Stack>,
    /// The links between stacks, each with the layer whose output it carries.
    links: Vec<(usize, usize, usize)>,
}

impl<'a> Drawing<'a> {
    fn new(net: &'a Architecture, outline: &Outline, instances: &'a [Part]) -> Self {
        let mut drawing = Self { net, instances, consumers: net.consumers(), stacks: Vec::new(), links: Vec::new() };
        let mut entries: Vec<usize> = outline.edges.iter().filter(|edge| edge.from.is_none()).map(|edge| edge.source).collect();
        entries.sort_unstable();
        entries.dedup();
        drawing.stacks.extend(entries.iter().map(|_| Stack::default()));
        let mut places = Vec::with_capacity(outline.items.len());
        for (index, item) in outline.items.iter().enumerate() {
            let place = match drawing.glued(outline, index) {
                Some(before) => places[before],
                None => {
                    drawing.stacks.push(Stack::default());
                    drawing.stacks.len() - 1
                }
            };
            let row = drawing.row(item, drawing.stacks[place].rows.is_empty());
            drawing.stacks[place].rows.push(row);
            drawing.stacks[place].layers.extend(item.layers.clone());
            places.push(place);
        }
        for Edge { from, to, source } in &outline.edges {
            let from = from.map(|from| places[from]).or_else(|| entries.iter().position(|entry| entry == source));
            if let Some(from) = from.filter(|from| *from != places[*to]) {
                drawing.links.push((from, places[*to], *source));
            }
        }
        drawing
    }

    /// The item under which this one is a strip.
    fn glued(&self, outline: &Outline, index: usize) -> Option<usize> {
        let item = &outline.items[index];
        let mut above = outline.edges.iter().filter(|edge| edge.to == index);
        let (before, more) = (above.next()?.from?, above.next());
        let is_alone = outline.edges.iter().filter(|edge| edge.from == Some(before)).count() == 1;
        let over = &outline.items[before];
        let is_layer = over.block.is_none() && over.repeats == 1 && !self.net.layers[over.first.start].inputs.is_empty();
        let fits = item.is_strip(self.net) && is_layer;
        (fits && more.is_none() && is_alone && !self.leaves(over.layers.start)).then_some(before)
    }

    /// Whether the output of a layer leaves the part.
    fn leaves(&self, layer: usize) -> bool {
        self.net.outputs.contains(&layer) || self.consumers[layer].iter().any(|user| !self.instances[0].layers.contains(user))
    }

    fn row(&self, item: &Item, is_first: bool) -> Row {
        let layer = &self.net.layers[item.first.start];
        let family = Family::of(&layer.kind);
        let (is_block, repeats) = (item.block.is_some(), item.repeats);
        if is_block {
            let name = self.net.item_name(item).rsplit('.').next().unwrap_or_default().into();
            let tooltip = block_tooltip(self.net, item);
            return Row { name, arguments: String::new(), height: BLOCK, colour: "currentColor", repeats, is_block, tooltip };
        }
        let height = if family.is_strip() && !is_first { STRIP } else { ROW };
        let arguments = self.arguments(item.first.start);
        Row {
            name: layer.kind.clone(),
            arguments,
            height,
            colour: family.colour(),
            repeats,
            is_block,
            tooltip: tooltip(self.net, layer),
        }
    }

    /// The arguments of a layer, with `…` for each that differs from instance to instance.
    fn arguments(&self, layer: usize) -> String {
        let place = layer - self.instances[0].layers.start;
        let same: Vec<&Layer> = self.instances.iter().map(|part| &self.net.layers[part.layers.start + place]).collect();
        let mut names: Vec<&str> = Vec::new();
        for argument in same.iter().flat_map(|layer| &layer.arguments).filter(|argument| !argument.is_of_training()) {
            if !names.contains(&argument.name.as_str()) {
                names.push(&argument.name);
            }
        }
        let mut texts: Vec<String> = names.into_iter().map(|name| common(&same, name)).collect();
        if same.iter().all(|layer| layer.frozen) {
            texts.push("frozen".into());
        }
        if texts.is_empty() { String::new() } else { format!("({})", texts.join(", ")) }
    }

    /// The shape of what a layer gives, unless it differs from instance to instance.
    fn shape(&self, layer: usize) -> String {
        let Some(place) = layer.checked_sub(self.instances[0].layers.start) else {
            return if self.instances.len() == 1 { shape(self.net.layers[layer].shape) } else { String::new() };
        };
        let of = |part: &Part| self.net.layers[part.layers.start + place].shape;
        let first = of(&self.instances[0]);
        if self.instances.iter().all(|part| of(part) == first) { shape(first) } else { String::new() }
    }

    fn draw(&self) -> Panel {
        let wanted = self.stacks.iter().flat_map(|stack| &stack.rows).map(Row::width).fold(NARROWEST, f64::max).min(WIDEST);
        let size = |stack: &Stack| match stack.rows.as_slice() {
            [] => Size { width: 7., height: 7. },
            rows => Size { width: wanted, height: rows.iter().map(|row| row.height).sum() },
        };
        let sizes: Vec<Size> = self.stacks.iter().map(size).collect();
        let links: Vec<Link> = (0..self.links.len()).map(|index| self.link(index)).collect();
        let layout = layout(&sizes, &links);
        let mut svg = String::new();
        let mut size = layout.size;
        for ((stack, corner), size) in self.stacks.iter().zip(&layout.corners).zip(&sizes) {
            draw_stack(stack, *corner, size.width, &mut svg);
        }
        let (mut lines, mut heads) = (String::new(), String::new());
        for (index, route) in layout.routes.iter().enumerate() {
            self.draw_link(index, route, &layout, &sizes, (&mut lines, &mut heads));
        }
        self.draw_exits(&layout, &sizes, (&mut lines, &mut heads), &mut size);
        let labels = self.shapes(&layout, &sizes, &mut size);
        let _ = write!(svg, r#"<path d="{lines}" fill="none" stroke="currentColor" stroke-opacity=".6" stroke-width="1.2"/>"#);
        let _ = write!(svg, r#"<path d="{heads}" fill="currentColor" fill-opacity=".75"/>"#);
        let _ = write!(svg, r#"<g font-size="{SMALL}" fill="currentColor" fill-opacity=".75">{labels}</g>"#);
        let middle = |index: usize| layout.corners[index].0 + sizes[index].width / 2.;
        let last = self.stacks.len() - 1;
        let bottom = layout.corners[last].1 + sizes[last].height;
        Panel { size, svg, entry: (middle(0), 3.5), exit: (middle(last), bottom + EXIT) }
    }

    fn link(&self, index: usize) -> Link {
        let (from, to, source) = self.links[index];
        let text = self.shape(source);
        let is_said_below = self.said_below(from) == Some(source) || self.stacks[from].rows.is_empty();
        Link { from, to, label: if is_said_below { 0. } else { width(&text, SMALL) + 6. } }
    }

    /// The layer whose output's shape is written under a stack: that which leaves, or goes on to what is next.
    fn said_below(&self, stack: usize) -> Option<usize> {
        if self.stacks[stack].rows.is_empty() {
            return self.links.iter().find(|(from, ..)| *from == stack).map(|(.., source)| *source);
        }
        let nearest = self.links.iter().filter(|(from, ..)| *from == stack).min_by_key(|(_, to, _)| *to);
        let leaving = || self.stacks[stack].layers.iter().copied().find(|layer| self.leaves(*layer));
        nearest.map(|(.., source)| *source).or_else(leaving)
    }

    fn draw_link(
        &self,
        index: usize,
        route: &Route,
        layout: &Layout,
        sizes: &[Size],
        (lines, heads): (&mut String, &mut String),
    ) {
        let (from, to, _) = self.links[index];
        let ((x0, y0), (x1, y1)) = (layout.corners[from], layout.corners[to]);
        match route {
            Route::Down(points) => {
                let start = (x0 + sizes[from].width / 2., y0 + sizes[from].height);
                let end = (x1 + sizes[to].width / 2., y1);
                down(start, points, end, lines);
                let _ = write!(heads, "M{:.1} {:.1}l-3.5-7h7z", end.0, end.1);
            }
            Route::Around(x) => {
                let (right, left) = (x0 + sizes[from].width, x1 + sizes[to].width);
                let (top, bottom) = (y0 + sizes[from].height * OUT, y1 + sizes[to].height * IN);
                let _ = write!(lines, "M{right:.1} {top:.1}H{:.1}q{BEND} 0 {BEND} {BEND}", x - BEND);
                let _ = write!(lines, "V{:.1}q0 {BEND} -{BEND} {BEND}H{:.1}", bottom - BEND, left + 5.);
                let _ = write!(heads, "M{left:.1} {bottom:.1}l7-3.5v7z");
            }
        }
    }

    /// The arrows of tensors that leave: down where nothing else goes down, and else to the side.
    fn draw_exits(&self, layout: &Layout, sizes: &[Size], (lines, heads): (&mut String, &mut String), size: &mut Size) {
        for (index, _) in self.stacks.iter().enumerate().filter(|(_, stack)| self.has_exit(stack)) {
            let ((x, y), Size { width, height }) = (layout.corners[index], sizes[index]);
            let goes_down = |link: usize| self.links[link].0 == index && matches!(layout.routes[link], Route::Down(_));
            if (0..self.links.len()).any(goes_down) {
                let (x, y) = (x + width, y + height * OUT);
                let _ = write!(lines, "M{x:.1} {y:.1}h12");
                let _ = write!(heads, "M{:.1} {y:.1}l-7-3.5v7z", x + 18.);
                size.width = size.width.max(x + 20.);
            } else {
                let (x, y) = (x + width / 2., y + height);
                let _ = write!(lines, "M{x:.1} {y:.1}v{:.1}", EXIT - 4.);
                let _ = write!(heads, "M{x:.1} {:.1}l-3.5-7h7z", y + EXIT);
                size.height = size.height.max(y + EXIT + 2.);
            }
        }
    }

    fn has_exit(&self, stack: &Stack) -> bool {
        stack.layers.iter().any(|layer| self.leaves(*layer))
    }

    /// The shapes of tensors beside the arrows that carry them.
    fn shapes(&self, layout: &Layout, sizes: &[Size], size: &mut Size) -> String {
        let mut labels = String::new();
        let mut label = |x: f64, y: f64, text: &str| {
            size.width = size.width.max(x + width(text, SMALL));
            let _ = write!(labels, r#"<text x="{x:.1}" y="{y:.1}">{text}</text>"#);
        };
        for (index, (x, y)) in layout.corners.iter().enumerate() {
            let text = self.said_below(index).map(|layer| self.shape(layer)).filter(|text| !text.is_empty());
            if let Some(text) = text {
                label(x + sizes[index].width / 2. + 6., y + sizes[index].height + STRAIGHT - 2., &text);
            }
        }
        for (index, route) in layout.routes.iter().enumerate() {
            let (from, _, source) = self.links[index];
            if let (Route::Around(_), true) = (route, self.link(index).label > 0.) {
                let (x, y) = layout.corners[from];
                label(x + sizes[from].width + 4., y + sizes[from].height * OUT - 4., &self.shape(source));
            }
        }
        labels
    }
}

impl Row {
    fn width(&self) -> f64 {
        let count = if self.repeats > 1 { 2. * (width("×10", TEXT) + 6.) } else { 0. };
        let (name, arguments) = (self.name_width(), width(&self.arguments, self.size()));
        let text = if self.height == TALL_ROW { name.max(arguments) } else { name + arguments };
        text + count + 2. * MARGIN
    }

    /// The width of the name, which is bold.
    fn name_width(&self) -> f64 {
        width(&self.name, 1.06 * self.size())
    }

    fn size(&self) -> f64 {
        if self.height < ROW { SMALL } else { TEXT }
    }
}

/// An argument in all instances of a layer.
fn common(same: &[&Layer], name: &str) -> String {
    let texts: Vec<Option<&str>> = same
        .iter()
        .map(|layer| layer.arguments.iter().find(|argument| argument.name == name).map(|argument| argument.text.as_str()))
        .collect();
    let some = texts.iter().copied().flatten().next().unwrap_or_default();
    match some.split_once('=') {
        _ if texts.iter().all(|text| *text == texts[0]) => some.into(),
        Some((keyword, _)) => format!("{keyword}=…"),
        None => "…".into(),
    }
}

/// A line down through `points`, straight on where it begins and where it passes others.
fn down(start: (f64, f64), points: &[(f64, f64)], end: (f64, f64), lines: &mut String) {
    let _ = write!(lines, "M{:.1} {:.1}", start.0, start.1);
    let mut at = start;
    for (index, point) in points.iter().copied().chain([(end.0, end.1 - 6.)]).enumerate() {
        if (at.0 - point.0).abs() < 0.5 || index % 2 == 1 && index < points.len() {
            let _ = write!(lines, "V{:.1}", point.1);
        } else {
            let from = at.1 + STRAIGHT;
            let middle = (from + point.1) / 2.;
            let _ = write!(lines, "V{from:.1}C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {:.1}", at.0, point.0, point.0, point.1);
        }
        at = point;
    }
}

fn draw_stack(stack: &Stack, (x, y): (f64, f64), wide: f64, svg: &mut String) {
    if stack.rows.is_empty() {
        let _ = write!(svg, r#"<circle cx="{:.1}" cy="{:.1}" r="3" fill="currentColor"/>"#, x + wide / 2., y + 3.5);
    }
    let mut y = y;
    for row in &stack.rows {
        draw_row(row, (x, y), wide, svg);
        y += row.height;
    }
}

fn draw_row(row: &Row, (x, y): (f64, f64), wide: f64, svg: &mut String) {
    let Row { height, colour, repeats, is_block, tooltip, .. } = row;
    let _ = write!(svg, "<g><title>{tooltip}</title>");
    if *repeats > 1 {
        let _ = write!(
            svg,
            r#"<path d="M{:.1} {:.1}v{height}h-{wide:.1}" fill="none" stroke="{colour}" stroke-opacity=".6"/>"#,
            x + wide + 3.,
            y + 3.
        );
    }
    let (opacity, round) = if *is_block { (0.07, 5) } else { (0.2, 2) };
    let _ = write!(
        svg,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{wide:.1}" height="{height}" rx="{round}" fill="{colour}" fill-opacity="{opacity}" stroke="{colour}"/>"#
    );
    let (middle, base) = (x + wide / 2., y + height / 2. + 0.36 * row.size());
    draw_words(row, (middle, base), wide - 2. * MARGIN, svg);
    if *repeats > 1 {
        let _ = write!(svg, r#"<text x="{:.1}" y="{base:.1}" text-anchor="end">×{repeats}</text>"#, x + wide - MARGIN);
    }
    svg.push_str("</g>");
}

/// The name and the arguments of a row, around `middle`.
fn draw_words(row: &Row, (middle, base): (f64, f64), room: f64, svg: &mut String) {
    let size = row.size();
    let font = if size < TEXT { format!(r#" font-size="{SMALL}""#) } else { String::new() };
    let mut text = |x: f64, y: f64, style: &str, words: &str| {
        let _ = write!(svg, r#"<text x="{x:.1}" y="{y:.1}"{style}{font}>{}</text>"#, escaped(words));
    };
    let name = fitted(&row.name, 1.06 * size, room + 2.);
    if row.height == TALL_ROW {
        text(middle, base - 7., r#" text-anchor="middle" font-weight="600""#, &name);
        text(middle, base + 8., r#" text-anchor="middle""#, &fitted(&row.arguments, size, room));
    } else if row.arguments.is_empty() {
        text(middle, base, r#" text-anchor="middle" font-weight="600""#, &name);
    } else {
        // The two meet at a point, whatever the font makes of their widths.
        let arguments = fitted(&row.arguments, size, (room - row.name_width()).max(0.) + 2.);
        let between = middle + (row.name_width() - width(&arguments, size)) / 2.;
        text(between, base, r#" text-anchor="end" font-weight="600""#, &name);
        text(between, base, "", &arguments);
    }
}

/// What pointing at a layer shows, in lines.
pub fn tooltip(net: &Architecture, layer: &Layer) -> String {
    let inputs: Vec<String> = layer.inputs.iter().map(|input| shape(net.layers[*input].shape)).collect();
    let shapes = if inputs.is_empty() { shape(layer.shape) } else { format!("{} → {}", inputs.join(", "), shape(layer.shape)) };
    let facts = facts(layer.parameters, layer.macs);
    let lines = [format!("{}: {}", layer.name, layer.call()), shapes, facts, format!("receptive field: {}", field(layer.field))];
    escaped(&lines.join("\n")).replace('\n', "&#10;")
}

fn block_tooltip(net: &Architecture, item: &Item) -> String {
    let layers = &net.layers[item.layers.clone()];
    let last = &layers[layers.len() - 1];
    let names = match item.repeats {
        1 => net.item_name(item).into(),
        _ => format!("{} – {}", net.item_name(item), net.last_name(item)),
    };
    let parameters = rules::total(layers.iter().map(|layer| layer.parameters));
    let facts = facts(parameters, rules::total(layers.iter().map(|layer| layer.macs)));
    let head = format!("{names}: {}", counted(layers.len(), "layer"));
    let lines = [head, format!("→ {}", shape(last.shape)), facts, format!("receptive field: {}", field(last.field))];
    escaped(&lines.join("\n")).replace('\n', "&#10;")
}

fn facts(parameters: Option<u64>, macs: Option<u64>) -> String {
    let macs = macs.map_or("…".into(), grouped);
    format!("{} parameters, {macs} multiply-adds", number(parameters))
}
