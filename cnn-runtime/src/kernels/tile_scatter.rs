//! The gradient of a convolution's input on tile registers where windows lie apart, and images are large or few: what each window
//! passes on is one row of a product, and is added where the window lies.

use super::aligned::Aligned;
use super::fill::in_chunks;
use super::patches::{Geometry, scatter};
use super::share::threads;
use super::tile_matrix::{Right, Unpacked, left, pays};
use super::tiles::Tiles;
use crate::Precision;
use std::cell::RefCell;

/// Rows of the product that a thread computes at a time, unless there are few: so many that the weights pass by seldom.
const ROWS: usize = 256;

thread_local! {
    static SCRATCH: RefCell<(Aligned<u16>, Aligned<f32>)> = RefCell::default();
}

/// The gradient of the input, from that of the output before any activation and the weights, `F, C, KH, KW` for images, if
/// tiles are worth their while.
pub(super) fn input_gradient<const N: usize>(
    geometry: &Geometry<N>,
    weight: &[f32],
    grad: &[f32],
    precision: Precision,
) -> Option<Vec<f32>> {
    let (channels, taps, pixels) = (geometry.channels, geometry.taps(), geometry.pixels());
    let (patch, filters) = (channels * taps, weight.len() / (channels * taps));
    if !pays(geometry.batch * pixels, filters, patch) {
        return None;
    }
    let columns = (0..patch).map(|at| at % channels * taps + at / channels);
    let turned = Unpacked::new(precision, weight, (0..filters).map(|filter| Some(filter * patch)), columns);
    Some(turned.packed(|turned| product_scattered(geometry, turned, grad, precision)))
}

/// What the windows of each image pass on, `grad·weight`, added where they lie.
fn product_scattered<const N: usize>(geometry: &Geometry<N>, weight: &Right, grad: &[f32], precision: Precision) -> Vec<f32> {
    let (channels, pixels, patch) = (geometry.channels, geometry.pixels(), weight.columns);
    let filters = grad.len() / (geometry.batch * pixels);
    let rows = (geometry.batch * pixels).div_ceil(threads()).clamp(ROWS / 4, ROWS);
    let (image_len, images) = (geometry.image_len(), rows.div_ceil(pixels));
    in_chunks(geometry.batch * image_len, images * image_len, |number, input| {
        let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
        let grad = &grad[number * images * pixels * filters..][..input.len() / image_len * pixels * filters];
        SCRATCH.with_borrow_mut(|(pieces, patches)| {
            let patches = patches.take(grad.len() / filters * patch);
            left(grad, filters, precision, pieces).product_into(&tiles, weight, patches);
            for (image, patches) in input.chunks_exact_mut(image_len).zip(patches.chunks_exact(pixels * patch)) {
                scatter(geometry, patches, 0..pixels, 0..channels, image);
            }
        });
    })
}
