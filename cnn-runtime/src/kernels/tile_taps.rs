//! Products of small images on tiles, pixel by pixel, over those taps alone that see something.
//!
//! A tile of rows is one pixel of 16 images. The sum for a pixel is over the pixels that its window sees, each times the weights of
//! the tap that sees it: nothing is padded, and nothing is multiplied where windows lie apart. Pixels whose windows see alike, by the
//! same taps and in the same places from the first one, are computed together.

use super::patches::Geometry;
use super::tile_images::Group;
use super::tile_matrix::{Left, Right, in_order};
use super::tile_pieces::{Output, write_rows};
use super::tiles::{DEPTH, SIDE, Tiles};
use super::weighted::Ending;
use std::ops::Range;

/// Pixels whose windows see alike.
pub(super) struct Pixels {
    /// Their numbers.
    pub(super) numbers: Vec<usize>,
    /// Where in an image the first pixel lies that each sees.
    pub(super) starts: Vec<usize>,
    /// As [`Left::steps`].
    pub(super) steps: Vec<[usize; 2]>,
}

/// Positions of one axis whose windows see alike.
struct Alike {
    /// Each tap that sees a position, and how far that is from the first one.
    taps: Vec<(usize, usize)>,
    /// Each position, and the first one that it sees.
    positions: Vec<(usize, usize)>,
}

impl Pixels {
    /// All output pixels of a padded image, which see it by all taps.
    pub(super) fn of_padded(geometry: &Geometry) -> Self {
        let group = Group::new(geometry, 0..1, 0..geometry.output[0]);
        Self { numbers: (0..geometry.pixels()).collect(), starts: group.positions(), steps: in_order(group.steps(DEPTH)) }
    }
}

/// The pixels of a convolution's output, which see those of its input.
pub(super) fn of_output(geometry: &Geometry) -> Vec<Pixels> {
    let Geometry { input, channels, output, size, strides, dilation, before, .. } = *geometry;
    let axes = [0, 1].map(|axis| {
        let sees = |position: usize, tap: usize| (position * strides[axis] + tap * dilation[axis]).checked_sub(before[axis]);
        alike([output[axis], input[axis]], size[axis], sees)
    });
    pixels(axes, [output[1], input[1]], size[1], channels)
}

/// The pixels of a convolution's input, which see those of its output, of so many filters, that have seen them.
pub(super) fn of_input(geometry: &Geometry, filters: usize) -> Vec<Pixels> {
    let Geometry { input, output, size, strides, dilation, before, .. } = *geometry;
    let axes = [0, 1].map(|axis| {
        let sees = |position: usize, tap: usize| {
            let first_cell = (position + before[axis]).checked_sub(tap * dilation[axis])?;
            first_cell.is_multiple_of(strides[axis]).then_some(first_cell / strides[axis])
        };
        alike([input[axis], output[axis]], size[axis], sees)
    });
    pixels(axes, [input[1], output[1]], size[1], filters)
}

/// The positions of an axis, of which there are `count`, and which see positions below `end`.
fn alike([count, end]: [usize; 2], taps: usize, sees: impl Fn(usize, usize) -> Option<usize>) -> Vec<Alike> {
    let mut found: Vec<Alike> = Vec::new();
    for position in 0..count {
        let seen = |tap: usize| sees(position, tap).filter(|seen| *seen < end).map(|seen| (tap, seen));
        let mut taps: Vec<_> = (0..taps).filter_map(seen).collect();
        let first = taps.iter().map(|(_, seen)| *seen).min().unwrap_or(0);
        taps.iter_mut().for_each(|(_, seen)| *seen -= first);
        match found.iter_mut().find(|alike| alike.taps == taps) {
            Some(alike) => alike.positions.push((position, first)),
            None => found.push(Alike { taps, positions: vec![(position, first)] }),
        }
    }
    found
}

/// The pixels of images of one of two `widths`, which see pixels of so many `channels` of images of the other, by windows of so many
/// taps in a line.
fn pixels([lines, columns]: [Vec<Alike>; 2], widths: [usize; 2], taps: usize, channels: usize) -> Vec<Pixels> {
    let stretches = channels.div_ceil(DEPTH);
    let of_both = |lines: &Alike, columns: &Alike| {
        let mut found = Pixels { numbers: Vec::new(), starts: Vec::new(), steps: Vec::new() };
        for (y, first_y) in &lines.positions {
            found.numbers.extend(columns.positions.iter().map(|(x, _)| y * widths[0] + x));
            found.starts.extend(columns.positions.iter().map(|(_, first_x)| (first_y * widths[1] + first_x) * channels));
        }
        for (line, y) in &lines.taps {
            for (column, x) in &columns.taps {
                let (start, tiles) = ((y * widths[1] + x) * channels, (line * taps + column) * stretches);
                found.steps.extend((0..stretches).map(|stretch| [start + stretch * DEPTH, tiles + stretch]));
            }
        }
        found
    };
    lines.iter().flat_map(|lines| columns.iter().map(move |columns| of_both(lines, columns))).collect()
}

/// Writes some strips of the product of `weight` with all `pixels` of so many `images`, up to 16, whose rows are in `left`. An image of
/// the product has `image_len` values, and the first one begins at `first`.
///
/// # Safety
/// These strips of the images must be there to be written, and nobody else may read or write them meanwhile.
///
/// # Panics
/// If the pixels are not those of an image.
#[allow(clippy::too_many_arguments)]
pub(super) unsafe fn write_images(
    mut left: Left,
    weight: &Right,
    strips: Range<usize>,
    pixels: &[Pixels],
    images: usize,
    image_len: usize,
    first: usize,
    ending: Ending<f32>,
    out: Output,
) {
    let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
    let (count, last) = pixels.iter().flat_map(|alike| &alike.numbers).fold((0, 0), |(count, last), n| (count + 1, last.max(*n)));
    assert!(count * weight.columns == image_len && last < count.max(1), "each pixel of an image");
    for Pixels { numbers, starts, steps } in pixels {
        left = Left { starts: starts.clone(), steps: steps.clone(), ..left };
        left.product(&tiles, weight, strips.clone(), |tile, column, values| {
            let columns = column..weight.columns.min(column + SIDE);
            for (pixel, values) in numbers[tile..].iter().zip(values.chunks_exact(SIDE)) {
                let at = first + pixel * weight.columns;
                // SAFETY: these are columns, in one of the strips, of a pixel of each image, which ends behind the last one.
                unsafe { write_rows(&values[..images], columns.clone(), ending, image_len, at, out) };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Conv2D, Padding};

    /// Each pixel with what it sees: the number of a pixel and the tap.
    fn seen(pixels: &[Pixels], channels: usize, count: usize) -> Vec<Vec<[usize; 2]>> {
        let (mut found, stretches) = (vec![None; count], channels.div_ceil(DEPTH));
        for Pixels { numbers, starts, steps } in pixels {
            assert_eq!(numbers.len(), starts.len());
            for (number, start) in numbers.iter().zip(starts) {
                let first = steps.iter().step_by(stretches).map(|[step, depth]| [(start + step) / channels, depth / stretches]);
                assert_eq!(found[*number].replace(first.collect()), None, "pixel {number} once");
            }
        }
        found.into_iter().map(|pixel| pixel.expect("every pixel")).collect()
    }

    #[test]
    fn each_pixel_is_computed_from_all_that_see_it() {
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[5, 1], [0, 2]])] {
            for (size, strides, dilation) in
                [([3, 3], [1, 1], [1, 1]), ([3, 2], [2, 3], [1, 1]), ([2, 2], [3, 4], [1, 2]), ([1, 1], [2, 2], [1, 1])]
            {
                let conv = Conv2D::new(40, size).strides(strides).dilation_rate(dilation).padding(padding);
                let geometry: Geometry = Geometry::new("test", &[16, 7, 9, 64], &conv.convolution().window).unwrap();
                let Geometry { input: [height, width], output: [_, seen_width], before, .. } = geometry;
                let forward = seen(&of_output(&geometry), 64, geometry.pixels());
                let backward = seen(&of_input(&geometry, 40), 40, height * width);
                let mut pairs = 0;
                for (pixel, forward) in forward.iter().enumerate() {
                    for tap in 0..geometry.taps() {
                        let place = |axis: usize, position: usize, tap: usize| {
                            (position * strides[axis] + tap * dilation[axis]).checked_sub(before[axis])
                        };
                        let y = place(0, pixel / seen_width, tap / size[1]).filter(|y| *y < height);
                        let x = place(1, pixel % seen_width, tap % size[1]).filter(|x| *x < width);
                        let expected = y.zip(x).map(|(y, x)| y * width + x);
                        assert_eq!(forward.iter().find(|seen| seen[1] == tap).map(|seen| seen[0]), expected);
                        if let Some(other) = expected {
                            assert!(backward[other].contains(&[pixel, tap]));
                            pairs += 1;
                        }
                    }
                }
                assert_eq!([&forward, &backward].map(|seen| seen.iter().map(Vec::len).sum::<usize>()), [pairs; 2]);
            }
        }
    }
}
