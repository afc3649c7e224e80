//! The gradient of a convolution's weights on vectors, without patches: what a tap sees of every pixel, times the pixel's gradients.
//!
//! Sums are over pixels, so that where a factor is a pair of numbers they are those of two images.

use super::direct::{Direct, Kept, Pairing, Part, Seen};
use super::factor::{Factor, Pair};
use super::fill::in_chunks;
use super::gathered::{Left, Right, Strips};
use super::share::{for_each, threads};
use super::weighted::{Gradients, add_rows, undo_activation};
use crate::spec::Activation;
use std::ops::Range;

/// Output pixels that are summed apart from others, so that long sums keep their digits.
const BAND: usize = 256;

/// Values in all partial sums together.
const PARTIAL_SUMS: usize = 256 * 1024;

/// Rows of the gradient that are worth another thread's while.
const ROWS: usize = 32;

/// Pieces, or rows of them, to a thread: the first one done takes of the other's.
const TASKS: usize = 6;

/// Some images' sums of the gradients of some of the weights, and perhaps of the biases.
struct Sums {
    parts: Range<usize>,
    rows: Range<usize>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Direct {
    /// The gradients of the weights, in the order of patches, and of the biases, from that of the output `ys` of an activation.
    /// Where it is linear, `ys` is not read.
    pub(super) fn weight_gradient(&self, xs: &[f32], ys: &[f32], grad: &[f32], activation: Activation) -> Gradients<f32> {
        if !self.rounds {
            return self.in_pieces(self.batch, xs, |part, before, bias, multiply| {
                let place = self.place(part);
                let grad = undo_activation(activation, ys.get(place.clone()).unwrap_or_default(), &grad[place], before);
                bias(grad);
                multiply(grad);
            });
        }
        let mut before = Vec::new();
        let grad = undo_activation(activation, ys, grad, &mut before);
        let image = self.image_len();
        let pairs = in_chunks(self.batch.div_ceil(Pair::NUMBERS) * image, image, |number, pairs| {
            let of_image = |image_number: usize| grad.get(image_number * image..(image_number + 1) * image).unwrap_or_default();
            Pair::of_rows([0, 1].map(|at| of_image(number * Pair::NUMBERS + at)), pairs);
        });
        self.in_pieces(self.batch.div_ceil(Pair::NUMBERS), xs, |part, _, bias, multiply| {
            for image in part.images.start * Pair::NUMBERS..self.batch.min(part.images.end * Pair::NUMBERS) {
                bias(&grad[self.place(&Part { images: image..image + 1, planes: part.planes.clone() })]);
            }
            multiply(&pairs[self.place(part)]);
        })
    }

    /// The gradients, from those of the output, of so many images, or pairs of images if factors are such.
    ///
    /// `grad` is called with each part, scratch, and where it is to tell the gradients of the part's pixels: for the biases, and as factors.
    fn in_pieces<F: Kept>(
        &self,
        batch: usize,
        xs: &[f32],
        grad: impl Fn(&Part, &mut Vec<f32>, &mut dyn FnMut(&[f32]), &mut dyn FnMut(&[F])) + Sync,
    ) -> Gradients<f32> {
        let (rows, width, parts, [_, pixel]) =
            (self.weights() / self.width, self.width, self.parts_of(batch, BAND), self.pixels());
        // What is summed apart follows from the shapes alone; threads share the rows of the gradient besides.
        let pieces = (PARTIAL_SUMS / self.weights().max(1)).clamp(1, 16);
        let of_piece = parts.len().div_ceil(pieces).max(1);
        let ranges = (TASKS * threads()).div_ceil(parts.len().div_ceil(of_piece).max(1));
        let of_thread = rows.div_ceil(ranges).max(ROWS).next_multiple_of(8);
        let mut sums: Vec<Sums> = Vec::new();
        for first in (0..parts.len()).step_by(of_piece) {
            let parts = first..parts.len().min(first + of_piece);
            let ranges = (0..rows).step_by(of_thread).map(|first| first..rows.min(first + of_thread));
            sums.extend(ranges.map(|rows| Sums { parts: parts.clone(), rows, weight: Vec::new(), bias: Vec::new() }));
        }
        for_each(sums.iter_mut().collect(), |sums| {
            sums.weight = vec![0.0; sums.rows.len() * width];
            sums.bias = vec![0.0; pixel];
            let (mut before, mut of_band) = (Vec::new(), vec![0.0; pixel]);
            // Parts of one size see alike.
            let mut alike = None;
            let Sums { parts: of_sums, rows, weight, bias } = sums;
            for part in &parts[of_sums.clone()] {
                of_band.fill(0.0);
                let mut of_biases = |grad: &[f32]| {
                    if rows.start == 0 {
                        add_rows(&mut of_band, grad);
                    }
                };
                grad(part, &mut before, &mut of_biases, &mut |grad| {
                    self.see(xs, part, Pairing::Images, |seen| {
                        let size = (part.images.len(), part.planes.len());
                        if alike.as_ref().is_none_or(|(of, _)| *of != size) {
                            alike = Some((size, self.sums_of_groups(part, &seen, rows)));
                        }
                        let Some((_, groups)) = &alike else { unreachable!("it has just been found") };
                        let mut weight = &mut weight[..];
                        for (group, rows, steps) in groups {
                            let columns = group * width..(group + 1) * width;
                            let in_place = Right::columns_of(grad, pixel, columns.clone());
                            let packed = in_place.is_none().then(|| Strips::of_factors(grad, pixel, columns));
                            let right = in_place.or(packed.as_ref().map(Strips::right)).expect("one of the two");
                            let of_group;
                            (of_group, weight) = weight.split_at_mut(rows.len() * width);
                            Left { values: &seen.values[group * self.depth..], rows, steps }.add(right, of_group);
                        }
                    });
                });
                add_rows(bias, &of_band);
            }
        });
        let mut bias = vec![0.0; pixel];
        sums.iter().filter(|sums| sums.rows.start == 0).for_each(|sums| add_rows(&mut bias, &sums.bias));
        let weight = in_chunks(rows * width, of_thread * width, |number, weight| {
            for sums in sums.iter().filter(|sums| sums.rows.start == number * of_thread) {
                add_rows(weight, &sums.weight);
            }
        });
        Gradients { input: Vec::new(), weight, bias }
    }

    /// The products that sum the gradients of the weights `rows`, in the order of patches, over a part: of each group that has some of them.
    fn sums_of_groups(
        &self,
        part: &Part,
        seen: &Seen<impl Factor>,
        rows: &Range<usize>,
    ) -> Vec<(usize, Vec<[usize; 2]>, Vec<usize>)> {
        let of_group = self.weights() / (self.groups * self.width);
        let sums = |group: usize| {
            let first = group * of_group;
            let (rows, steps) = self.sums(part, seen, rows.start.max(first) - first..rows.end.min(first + of_group) - first);
            (group, rows, steps)
        };
        (rows.start / of_group..rows.end.div_ceil(of_group)).map(sums).collect()
    }
}
