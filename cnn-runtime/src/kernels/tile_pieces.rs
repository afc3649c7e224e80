//! What vectors do before and after tiles: numbers in pieces, and rows of products on their way out.

use super::tiles::{SIDE, available};
use super::weighted::Ending;
use crate::spec::Activation;
use std::ops::Range;

/// Splits every number into pieces, each the nearest `bf16` to what is left: as many as `pieces`, from the first number's high
/// one on, reaches over planes.
///
/// # Panics
/// If there are no tiles, or neither one nor three pieces.
pub(super) fn split(xs: &[f32], pieces: &mut [u16], plane: usize) {
    assert!(available() && xs.len() <= plane, "pieces are for tiles");
    // The last plane may be cut off before its end.
    let count = pieces.len().div_ceil(plane);
    assert!((count - 1) * plane + xs.len() <= pieces.len(), "pieces of each number");
    let high = pieces.as_mut_ptr();
    // SAFETY: where there are tiles, there are these vectors; each plane was checked to have room for every number, and they are
    // as far apart.
    unsafe {
        match count {
            1 => imp::round(xs, high),
            3 => imp::split(xs, high, high.add(plane), high.add(2 * plane)),
            _ => unreachable!("a number is one piece or three"),
        }
    }
}

/// Where the parts of an output are written, which lie between each other.
#[derive(Clone, Copy)]
pub(super) struct Output(pub(super) *mut f32);

// SAFETY: it is only a place; who writes there says why nobody else does.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// Writes some `columns`, up to 16, of rows of a product, ended but for an activation other than a rectifier and what follows it: the first
/// row from `first` on, and the others `pitch` values apart.
///
/// # Safety
/// The columns of every row must be there to be written, and nobody else may read or write them meanwhile.
///
/// # Panics
/// If there are no tiles, or a slice is too short.
pub(super) unsafe fn write_rows(
    rows: &[[f32; SIDE]],
    columns: Range<usize>,
    ending: Ending<f32>,
    pitch: usize,
    first: usize,
    ys: Output,
) {
    assert!(available() && columns.len() <= SIDE, "columns of a tile");
    let bias = ending.bias.map_or(&[0.0; SIDE][..columns.len()], |bias| &bias[columns.clone()]);
    let (first, end) = (first + columns.start, rows.len().saturating_sub(1) * pitch + columns.len());
    let others =
        [ending.added, ending.rectified.filter(|_| is_by_rows(&ending))].map(|others| others.map(|values| &values[first..]));
    assert!(others.iter().flatten().all(|values| end <= values.len()), "rows of what is added, or rectified");
    let [added, rectified] = others.map(|others| others.map(<[f32]>::as_ptr));
    // SAFETY: where there are tiles, there are these vectors; the others were checked to reach as far as the last row's last
    // column, and the caller says that `ys` does.
    unsafe { imp::write_rows(rows, bias, added, ending.activation == Activation::Relu, rectified, pitch, ys.0.add(first)) }
}

/// Whether [`write_rows`] does all of an ending.
fn is_by_rows(ending: &Ending<f32>) -> bool {
    matches!(ending.activation, Activation::Linear | Activation::Relu)
}

/// What of an ending [`write_rows`] has not done.
pub(super) fn finish_rest(ending: Ending<f32>, ys: &mut [f32]) {
    if !is_by_rows(&ending) {
        Ending { bias: None, added: None, ..ending }.finish_all(ys, 1);
    }
}

/// What needs the processor, for those that have tiles.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) mod imp {
    use super::super::simd::first_of_16;
    use super::SIDE;
    use std::arch::x86_64::*;

    /// The first piece alone; see [`super::split`].
    ///
    /// # Safety
    /// There must be room for as many numbers as there are.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn round(xs: &[f32], to: *mut u16) {
        for first in (0..xs.len()).step_by(SIDE) {
            let mask = first_of_16(xs.len() - first);
            // SAFETY: the mask leaves out what is beyond the last number, and the caller says there is room for the others; both
            // types are 256 bits.
            unsafe {
                let x = _mm512_maskz_loadu_ps(mask, xs.as_ptr().add(first));
                let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
                _mm256_mask_storeu_epi16(to.add(first).cast(), mask, rounded);
            }
        }
    }

    /// See [`super::write_rows`].
    ///
    /// # Safety
    /// `added`, `rectified` and `ys` must reach as far as the last row's last column, and `bias` be of at most 16 values.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn write_rows(
        rows: &[[f32; SIDE]],
        bias: &[f32],
        added: Option<*const f32>,
        rectifies: bool,
        rectified: Option<*const f32>,
        width: usize,
        ys: *mut f32,
    ) {
        let mask = first_of_16(bias.len());
        // What is less is 0; not a number stays so.
        let least = _mm512_set1_ps(if rectifies { 0.0 } else { f32::NEG_INFINITY });
        // SAFETY: the mask leaves out what is beyond the last column.
        let bias = unsafe { _mm512_maskz_loadu_ps(mask, bias.as_ptr()) };
        for (row, values) in rows.iter().enumerate() {
            // SAFETY: a row of a tile is 16 values; the mask leaves out what is beyond the last column, up to which the caller
            // says all rows are there.
            unsafe {
                let mut sum = _mm512_add_ps(_mm512_loadu_ps(values.as_ptr()), bias);
                if let Some(added) = added {
                    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, added.add(row * width)));
                }
                let mut y = _mm512_max_ps(least, sum);
                if let Some(rectified) = rectified {
                    let seen = _mm512_maskz_loadu_ps(mask, rectified.add(row * width));
                    y = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(seen, _mm512_setzero_ps()), y);
                }
                _mm512_mask_storeu_ps(ys.add(row * width), mask, y);
            }
        }
    }

    /// See [`super::split`].
    ///
    /// # Safety
    /// Each piece must have room for as many numbers as there are.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) unsafe fn split(xs: &[f32], high: *mut u16, middle: *mut u16, low: *mut u16) {
        const PAIR: usize = 2 * SIDE;
        let (pairs, rest) = xs.as_chunks::<PAIR>();
        for (number, xs) in pairs.iter().enumerate() {
            // SAFETY: these are 32 numbers, and the caller says there is room for each.
            unsafe {
                let (first, second) = (_mm512_loadu_ps(xs.as_ptr()), _mm512_loadu_ps(xs.as_ptr().add(SIDE)));
                for (to, pieces) in [high, middle, low].into_iter().zip(both_pieces::<3>(first, second)) {
                    _mm512_storeu_si512(to.add(number * PAIR).cast(), pieces);
                }
            }
        }
        for (number, xs) in rest.chunks(SIDE).enumerate() {
            let (mask, at) = (first_of_16(xs.len()), pairs.len() * PAIR + number * SIDE);
            // SAFETY: the mask leaves out what is beyond the last number, and the caller says there is room for the others.
            unsafe {
                let pieces = pieces(_mm512_maskz_loadu_ps(mask, xs.as_ptr()));
                for (to, piece) in [high, middle, low].into_iter().zip(pieces) {
                    _mm512_mask_cvtepi32_storeu_epi16(to.add(at).cast(), mask, _mm512_srli_epi32::<16>(piece));
                }
            }
        }
    }

    /// Where, in two vectors of 32 bits, the upper 16 bits lie.
    const ODD: [u16; 2 * SIDE] = {
        let mut odd = [0; 2 * SIDE];
        let mut at = 0;
        while at < 2 * SIDE {
            odd[at] = 2 * at as u16 + 1;
            at += 1;
        }
        odd
    };

    /// The pieces of twice 16 numbers, one or three, in order.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(in super::super) fn both_pieces<const PIECES: usize>(first: __m512, second: __m512) -> [__m512i; PIECES] {
        let mut both = [_mm512_setzero_si512(); PIECES];
        if PIECES == 1 {
            // SAFETY: both types are 512 bits.
            both[0] = unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first)) };
            return both;
        }
        // SAFETY: 32 numbers of 16 bits are 512 bits.
        let odd = unsafe { _mm512_loadu_si512(ODD.as_ptr().cast()) };
        let (first, second) = (pieces(first), pieces(second));
        for piece in 0..PIECES {
            both[piece] = _mm512_permutex2var_epi16(first[piece], odd, second[piece]);
        }
        both
    }

    /// The pieces of 16 numbers, in the upper 16 bits of each 32.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(in super::super) fn pieces(x: __m512) -> [__m512i; 3] {
        let (upper, half) = (_mm512_set1_epi32(!0xffff), _mm512_set1_epi32(0x8000));
        let bits = _mm512_castps_si512(x);
        // What rounding would make infinite, or is, is cut off instead, and nothing is left of it.
        let finite = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(_mm512_abs_ps(x), _mm512_set1_ps(3.39e38));
        let high = _mm512_and_si512(_mm512_mask_add_epi32(bits, finite, bits, half), upper);
        let left = _mm512_maskz_sub_ps(finite, x, _mm512_castsi512_ps(high));
        let middle = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(left), half), upper);
        // What is left now has no more digits than a piece.
        [high, middle, _mm512_castps_si512(_mm512_sub_ps(left, _mm512_castsi512_ps(middle)))]
    }
}

/// What stands for it on processors without tiles.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod imp {
    pub(super) unsafe fn write_rows(
        _: &[[f32; super::SIDE]],
        _: &[f32],
        _: Option<*const f32>,
        _: bool,
        _: Option<*const f32>,
        _: usize,
        _: *mut f32,
    ) {
        unreachable!("there are no tiles")
    }

    pub(super) unsafe fn round(_: &[f32], _: *mut u16) {
        unreachable!("there are no tiles")
    }

    pub(super) unsafe fn split(_: &[f32], _: *mut u16, _: *mut u16, _: *mut u16) {
        unreachable!("there are no tiles")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of a number that is not rounded.
    const PLANES: usize = 3;

    /// The numbers that so many pieces of some numbers are of.
    fn put_together(xs: &[f32], planes: usize) -> Vec<f64> {
        let mut pieces = vec![0; planes * xs.len()];
        split(xs, &mut pieces, xs.len());
        let number = |piece: u16| f64::from(f32::from_bits(u32::from(piece) << 16));
        (0..xs.len()).map(|at| pieces.iter().skip(at).step_by(xs.len()).map(|piece| number(*piece)).sum()).collect()
    }

    #[test]
    fn three_pieces_are_a_number() {
        if !available() {
            return;
        }
        let xs = [0f32, -0.0, 1.0, -1.000_000_1, 0.7, 1.0 / 3.0, 16_777_215.0, -2.5e-20, 3.3e38, 0.1];
        for len in [1, 7, 10, 16, 17, 40] {
            let xs: Vec<f32> = xs.iter().cycle().take(len).copied().collect();
            assert_eq!(put_together(&xs, PLANES), xs.iter().copied().map(f64::from).collect::<Vec<_>>());
        }
        assert_eq!(
            put_together(&[1.0, 1.003, 1.005, -0.1, f32::INFINITY], 1),
            [1.0, 1.0, 1.0078125, -0.10009765625, f64::INFINITY]
        );
        let found = put_together(&[f32::MAX, f32::NEG_INFINITY, f32::NAN], PLANES);
        assert!((found[0] / f64::from(f32::MAX) - 1.0).abs() < 0.01);
        assert!(found[1] == f64::NEG_INFINITY && found[2].is_nan(), "{found:?}");
    }
}
