//! The gradient of the input of a convolution of many small images on tile registers, whose windows may lie apart.
//!
//! That of an input pixel is the sum of the gradients of those output pixels whose windows saw it, each times the weights of the tap
//! that did.

use super::patches::Geometry;
use super::share::{for_each, threads};
use super::tile_conv::{PIECES, PRODUCTS};
use super::tile_images::Group;
use super::tile_matrix::{Right, Unpacked};
use super::tile_pieces::{Output, finish_rest};
use super::tile_taps::{Pixels, of_input, write_images};
use super::tiles::{DEPTH, SIDE, available};
use super::weighted::Ending;
use crate::Precision;

/// A convolution without groups whose input gradient this computes.
pub(super) struct InputGradient {
    geometry: Geometry,
    filters: usize,
    precision: Precision,
    /// What is seen: the gradients of output pixels.
    seen: Geometry,
}

impl InputGradient {
    /// The convolution, if its images are small and many, and tiles worth their while.
    pub(super) fn new<const N: usize>(geometry: &Geometry<N>, filters: usize, precision: Precision) -> Option<Self> {
        let geometry = geometry.planar()?;
        let Geometry { batch, channels, output, .. } = geometry;
        let seen = Geometry { input: output, channels: filters, ..geometry }.pointwise();
        let fills = batch.next_multiple_of(SIDE) <= batch + batch / 4 && filters >= SIDE && channels >= SIDE / 2;
        let pays = batch * geometry.pixels() * geometry.taps() * channels * filters >= PRODUCTS;
        (available() && fills && pays && Group::fits(&seen, precision)).then_some(Self { geometry, filters, precision, seen })
    }

    /// The weights as a right matrix: for each tap a row for each filter.
    fn right<'a>(&self, weight: &'a [f32]) -> Unpacked<'a> {
        let (filters, channels, taps) = (self.filters, self.geometry.channels, self.geometry.taps());
        let row = move |tap: usize, filter: usize| (filter < filters).then_some(filter * channels * taps + tap);
        let of_tap = filters.next_multiple_of(DEPTH);
        let rows = (0..taps).flat_map(|tap| (0..of_tap).map(move |filter| row(tap, filter)));
        Unpacked::new(self.precision, weight, rows, (0..channels).map(|channel| channel * taps))
    }

    /// The gradient of the input, as it is to be, from that of the output before any activation and the weights, `F, C, KH, KW` for images.
    pub(super) fn compute(&self, weight: &[f32], grad: &[f32], ending: Ending<f32>) -> Vec<f32> {
        self.right(weight).packed(|weight| self.for_all_images(weight, grad, ending))
    }

    fn for_all_images(&self, weight: &Right, grad: &[f32], ending: Ending<f32>) -> Vec<f32> {
        let (batch, image_len, strips) = (self.geometry.batch, self.geometry.image_len(), weight.strips());
        let mut input = Vec::with_capacity(batch * image_len);
        let out = Output(input.as_mut_ptr());
        let pixels: Vec<Pixels> = of_input(&self.geometry, self.filters);
        // Of few groups, each of several threads has some strips.
        let of_part = strips.div_ceil(threads().div_ceil(batch.div_ceil(SIDE)));
        let firsts = (0..batch).step_by(SIDE).flat_map(|image| (0..strips).step_by(of_part).map(move |strip| (image, strip)));
        for_each(firsts.collect(), |(image, strip)| {
            let group = Group::new(&self.seen, image..batch.min(image + SIDE), 0..self.seen.output[0]);
            let strips = strip..strips.min(strip + of_part);
            PIECES.with_borrow_mut(|pieces| {
                let (left, images) = (group.left(grad, self.precision, pieces), group.images.len());
                // SAFETY: the gradient has room for all images, and no other part has both these and the strips.
                unsafe { write_images(left, weight, strips, &pixels, images, image_len, image * image_len, ending, out) };
            });
        });
        // SAFETY: the groups have all images, the strips all channels, and all pixels have been written.
        unsafe { input.set_len(batch * image_len) };
        finish_rest(ending, &mut input);
        input
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Conv2D, Conv3D};

    #[test]
    fn it_takes_many_small_images() {
        let takes = |filters: usize, dims: [usize; 4]| {
            let window = Conv2D::new(filters, [3, 3]).strides([2, 2]).convolution().window;
            let geometry = Geometry::<2>::new("test", &dims, &window).unwrap();
            InputGradient::new(&geometry, filters, Precision::F32).is_some()
        };
        for batch in [13, 16, 64, 131] {
            assert_eq!(takes(16, [batch, 13, 13, 8]), available(), "{batch} images");
        }
        for batch in [0, 1, 12, 17, 50] {
            assert!(!takes(16, [batch, 13, 13, 8]), "{batch} images");
        }
        assert!(!takes(15, [64, 13, 13, 8]) && !takes(16, [64, 13, 13, 7]), "too few channels");
        assert!(!takes(64, [64, 50, 50, 32]), "large images");
        assert!(!takes(16, [16, 3, 3, 8]), "little to do");
        let window = Conv3D::new(16, [3, 3, 3]).convolution().window;
        let volumes = Geometry::new("test", &[16, 6, 6, 6, 16], &window).unwrap();
        assert!(InputGradient::new(&volumes, 16, Precision::F32).is_none());
    }
}
