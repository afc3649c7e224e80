//! A short chain of layers as lectures draw it: the feature maps as volumes from left to right, with what makes them underneath.

use crate::architecture::{Architecture, Layer};
use crate::family::Family;
use crate::layered::Size;
use crate::outline::{Fold, Outline};
use crate::panel::{Panel, SMALL, tooltip};
use crate::text::{escaped, fitted, shape, width};
use std::fmt::Write;

/// The height of the largest map. Others are smaller by the root of their sizes, so that the smallest are still seen.
const TALLEST: f64 = 120.;
/// How far right and up the depth of a volume goes, for each unit of its width.
const OBLIQUE: (f64, f64) = (0.32, 0.2);
const GAP: f64 = 16.;
const LINE: f64 = 14.;
const WIDEST_TEXT: f64 = 122.;

/// A volume: what one layer and the strips after it give.
struct Volume<'a> {
    layers: Vec<&'a Layer>,
    /// Its height, its width into the page, and its channels from left to right, in pixels.
    height: f64,
    depth: f64,
    thickness: f64,
}

/// The chain as volumes, if it is one of images and vectors whose every size is known and fits in `room`.
pub fn volumes(net: &Architecture, room: f64) -> Option<Panel> {
    let is_chain = net.layers.iter().enumerate().all(|(index, layer)| layer.inputs == index.checked_sub(1).as_slice());
    let ends_at_end = net.outputs == [net.layers.len().checked_sub(1)?];
    let largest = *sizes(net.layers.first()?)?.first()?;
    if !is_chain || !ends_at_end || net.layers[0].shape?.rank() != 3 {
        return None;
    }
    let outline = net.outline(&net.whole(), net.depth(&net.whole()), Fold::Nothing);
    let volumes = stacks(net, &outline).into_iter().map(|layers| volume(layers, largest as f64)).collect::<Option<Vec<_>>>()?;
    let panel = draw(net, &volumes);
    (panel.size.width <= room).then_some(panel)
}

/// Layers with the strips that follow them.
fn stacks<'a>(net: &'a Architecture, outline: &Outline) -> Vec<Vec<&'a Layer>> {
    let mut stacks: Vec<Vec<&Layer>> = Vec::new();
    for (index, (layer, item)) in net.layers.iter().zip(&outline.items).enumerate() {
        match stacks.last_mut() {
            Some(stack) if index > 1 && item.is_strip(net) => stack.push(layer),
            _ => stacks.push(vec![layer]),
        }
    }
    stacks
}

fn sizes(layer: &Layer) -> Option<Vec<usize>> {
    layer.shape?.dims().iter().map(|dim| dim.known()).collect()
}

fn volume(layers: Vec<&Layer>, largest: f64) -> Option<Volume<'_>> {
    let scaled = |size: usize| (TALLEST * (size as f64 / largest).sqrt()).max(5.);
    let channels = |count: usize| 3. + 3.2 * (count as f64 + 1.).log2();
    let (height, depth, thickness) = match sizes(layers[layers.len() - 1])?.as_slice() {
        [count] => (8. + 7. * (*count as f64 + 1.).log2(), 5., 6.),
        [height, width, count] => (scaled(*height), scaled(*width), channels(*count)),
        _ => return None,
    };
    Some(Volume { layers, height, depth, thickness })
}

fn draw(net: &Architecture, volumes: &[Volume]) -> Panel {
    let top = volumes.iter().map(|volume| volume.height + volume.depth * OBLIQUE.1).fold(0., f64::max);
    let middle = top - volumes.iter().map(|volume| volume.height).fold(0., f64::max) / 2.;
    let (mut x, mut svg, mut lines, mut heads) = (0., String::new(), String::new(), String::new());
    let mut end: Option<f64> = None;
    let mut most = 0;
    for volume in volumes {
        let words = words(volume);
        let bold = |line: usize| if line == 0 { 1.06 } else { 1. };
        let text =
            words.iter().enumerate().map(|(line, word)| width(word, SMALL * bold(line))).fold(0., f64::max).min(WIDEST_TEXT);
        let solid = volume.thickness + volume.depth * OBLIQUE.0;
        let column = text.max(solid);
        let left = x + (column - solid) / 2.;
        let tooltips: Vec<String> = volume.layers.iter().map(|layer| tooltip(net, layer)).collect();
        let _ = write!(svg, "<g><title>{}</title>", tooltips.join("&#10;&#10;"));
        draw_volume(volume, (left, middle - volume.height / 2.), &mut svg);
        for (line, word) in words.iter().enumerate() {
            let (y, style) = (top + 20. + LINE * line as f64, if line == 0 { r#" font-weight="600""# } else { "" });
            let word = escaped(&fitted(word, SMALL * bold(line), column + 2.));
            let _ = write!(
                svg,
                r#"<text x="{:.1}" y="{y:.1}" text-anchor="middle" font-size="{SMALL}"{style}>{word}</text>"#,
                x + column / 2.
            );
        }
        svg.push_str("</g>");
        if let Some(end) = end {
            let _ = write!(lines, "M{:.1} {middle:.1}H{:.1}", end + 4., left - 8.);
            let _ = write!(heads, "M{:.1} {middle:.1}l-7-3.5v7z", left - 3.);
        }
        end = Some(left + solid);
        most = most.max(words.len());
        x += column + GAP;
    }
    let _ = write!(svg, r#"<path d="{lines}" fill="none" stroke="currentColor" stroke-opacity=".6" stroke-width="1.2"/>"#);
    let _ = write!(svg, r#"<path d="{heads}" fill="currentColor" fill-opacity=".75"/>"#);
    let size = Size { width: x - GAP, height: top + 12. + LINE * most as f64 };
    Panel { size, svg, entry: (0., middle), exit: (x - GAP, middle) }
}

/// What stands under a volume: the layer, its arguments, the shape, and the strips.
fn words(volume: &Volume) -> Vec<String> {
    let first = volume.layers[0];
    let call = first.short_call();
    let arguments = call.strip_prefix(first.kind.as_str()).unwrap_or_default().to_string();
    let said = shape(volume.layers[volume.layers.len() - 1].shape);
    let arguments = (first.kind != "Input").then_some(arguments);
    let strips = volume.layers[1..].iter().map(|layer| format!("+ {}", layer.short_call()));
    [first.kind.clone(), said].into_iter().chain(arguments).chain(strips).filter(|word| !word.is_empty()).collect()
}

/// The front, the top and the right side of a volume.
fn draw_volume(volume: &Volume, (x, y): (f64, f64), svg: &mut String) {
    let Volume { height, thickness, .. } = volume;
    let (right, up) = (volume.depth * OBLIQUE.0, volume.depth * OBLIQUE.1);
    let colour = Family::of(&volume.layers[0].kind).colour();
    let _ = write!(svg, r#"<g fill="{colour}" stroke="{colour}" stroke-linejoin="round">"#);
    let _ = write!(svg, r#"<path d="M{x:.1} {y:.1}v{height:.1}h{thickness:.1}v-{height:.1}z" fill-opacity=".3"/>"#);
    let _ =
        write!(svg, r#"<path d="M{x:.1} {y:.1}l{right:.1}-{up:.1}h{thickness:.1}l-{right:.1} {up:.1}z" fill-opacity=".15"/>"#);
    let _ = write!(
        svg,
        r#"<path d="M{:.1} {y:.1}l{right:.1}-{up:.1}v{height:.1}l-{right:.1} {up:.1}z" fill-opacity=".45"/></g>"#,
        x + thickness
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::tests::{network, residual};

    #[test]
    fn a_chain_of_images_is_drawn_as_volumes() {
        let net = network("input Input\nconv2d Conv2D(4) < 0\nre_lu ReLU < 1\nmax_pooling2d MaxPooling2D < 2");
        let panel = volumes(&net, 940.).unwrap();
        assert_eq!(panel.svg.matches("<title>").count(), 3);
        assert!(panel.svg.contains(">+ ReLU</text>"), "{}", panel.svg);
        assert!(volumes(&net, panel.size.width - 1.).is_none());
    }

    #[test]
    fn branches_unknown_sizes_and_vectors_are_not() {
        assert!(volumes(&residual(), 9400.).is_none());
        let mut net = network("input Input\nconv2d Conv2D(4) < 0");
        net.layers[1].shape = None;
        assert!(volumes(&net, 940.).is_none());
        net.layers[0].shape = Some(cnn_spec::Shape::new([784]));
        assert!(volumes(&net, 940.).is_none());
    }

    #[test]
    fn a_larger_map_is_a_larger_volume() {
        let mut net = network("input Input\nconv2d Conv2D(4) < 0");
        net.layers[1].shape = Some(cnn_spec::Shape::new([4, 4, 64]));
        let [large, small] = [0, 1].map(|index| volume(vec![&net.layers[index]], 8.).unwrap());
        assert_eq!(large.height, TALLEST);
        assert!(small.height < large.height && small.depth < large.depth && small.thickness > large.thickness);
    }
}
