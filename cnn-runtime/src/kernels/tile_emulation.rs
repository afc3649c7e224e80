//! Tile registers in software, so that what is computed on them can be tested on processors that have vectors of pairs of `bf16` but no
//! tiles.
//!
//! Only builds with debug assertions have it, and only where `CNN_EMULATE_AMX` is in the environment.

use super::isa::{Isa, allowed};
use super::tiles::{Block, SIDE, TILE};
use std::arch::x86_64::*;
use std::sync::OnceLock;

/// A tile: pairs of numbers, or sums.
type Tile = [__m512i; SIDE];
type Sums = [__m512; SIDE];

/// Bytes of a row of a tile.
const LINE: usize = 64;

/// Whether tiles are emulated.
///
/// # Panics
/// If they are to be and cannot: a test that means to run this path should not pass for want of it.
pub(super) fn is_on() -> bool {
    static IS_ON: OnceLock<bool> = OnceLock::new();
    *IS_ON.get_or_init(|| {
        let has = is_x86_feature_detected!("avx512bf16")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl");
        let is_asked_for = std::env::var_os("CNN_EMULATE_AMX").is_some();
        assert!(has || !is_asked_for, "`CNN_EMULATE_AMX` needs a processor with AVX512-BF16");
        is_asked_for && allowed() >= Isa::Amx
    })
}

/// The products of pieces that make up those of numbers, as pieces of the one factor and of the other.
fn products(planes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..planes).flat_map(move |piece| (0..planes - piece).rev().map(move |other| (piece, other)))
}

/// See [`Tiles::rows`](super::tiles::Tiles::rows).
///
/// # Safety
/// The slices must be as long as the product reads, and the emulation be on.
#[allow(clippy::too_many_arguments)]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn rows(
    planes: usize,
    a: &[u16],
    starts: &[usize],
    pitch: usize,
    plane: usize,
    steps: &[[usize; 2]],
    b: &[u16],
    out: &mut Block,
) {
    *out = Block::default();
    for (start, out) in starts.iter().zip(out.0.chunks_exact_mut(SIDE * SIDE)) {
        let mut sums = [_mm512_setzero_ps(); SIDE];
        for [step, depth] in steps {
            for (piece, other) in products(planes) {
                // SAFETY: the caller says that each plane has rows up to the furthest step, and each depth its tiles.
                let [a, b] = unsafe {
                    let a = a.as_ptr().add(start + step + piece * plane);
                    [load(a.cast(), 2 * pitch), load(b.as_ptr().add((depth * planes + other) * TILE).cast(), LINE)]
                };
                multiply(&a, &b, &mut sums);
            }
        }
        store(sums, out);
    }
}

/// See [`Tiles::columns`](super::tiles::Tiles::columns).
///
/// # Safety
/// As of [`rows`].
#[allow(clippy::too_many_arguments)]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn columns(
    planes: usize,
    a: &[u16],
    b: &[u32],
    starts: &[usize],
    pitch: usize,
    plane: usize,
    steps: &[usize],
    out: &mut [f32],
) {
    for (start, out) in starts.iter().zip(out.chunks_exact_mut(SIDE * SIDE)) {
        let mut sums = [_mm512_setzero_ps(); SIDE];
        for (depth, step) in steps.iter().enumerate() {
            for (piece, other) in products(planes) {
                // SAFETY: the caller says that each plane has pairs up to the furthest step, and each depth its tiles.
                let [a, b] = unsafe {
                    let a = a.as_ptr().add((depth * planes + other) * TILE);
                    [load(a.cast(), LINE), load(b.as_ptr().add(start + step + piece * plane).cast(), 4 * pitch)]
                };
                multiply(&a, &b, &mut sums);
            }
        }
        store(sums, out);
    }
}

/// See [`Tiles::square`](super::tiles::Tiles::square).
///
/// # Safety
/// As of [`rows`].
#[allow(clippy::too_many_arguments)]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn square(
    planes: usize,
    a: [&[u16]; 2],
    b: &[u32],
    starts: [usize; 2],
    pitch: usize,
    plane: usize,
    steps: &[usize],
    out: &mut Block,
) {
    for (a, out) in a.into_iter().zip(out.0.chunks_exact_mut(2 * SIDE * SIDE)) {
        // SAFETY: the caller's.
        unsafe { columns(planes, a, b, &starts, pitch, plane, steps, out) };
    }
}

/// A tile whose rows are so many bytes apart.
///
/// # Safety
/// There have to be 16 rows of 64 bytes.
#[target_feature(enable = "avx512f")]
unsafe fn load(from: *const u8, apart: usize) -> Tile {
    let mut tile = [_mm512_setzero_si512(); SIDE];
    for (row, pairs) in tile.iter_mut().enumerate() {
        // SAFETY: the caller's.
        *pairs = unsafe { _mm512_loadu_si512(from.add(row * apart).cast()) };
    }
    tile
}

/// What the instruction `tdpbf16ps` does, which adds products to each other before it adds them to a sum: each pair of a row times a row
/// of pairs.
#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply(a: &Tile, b: &Tile, sums: &mut Sums) {
    for (row, sums) in a.iter().zip(sums) {
        // SAFETY: both types are 512 bits.
        let row: [i32; SIDE] = unsafe { std::mem::transmute(*row) };
        let mut of_row = _mm512_setzero_ps();
        for (pair, columns) in row.into_iter().zip(b) {
            // SAFETY: both types are 512 bits.
            let [pair, columns] =
                unsafe { std::mem::transmute::<[__m512i; 2], [__m512bh; 2]>([_mm512_set1_epi32(pair), *columns]) };
            of_row = _mm512_dpbf16_ps(of_row, pair, columns);
        }
        *sums = _mm512_add_ps(*sums, of_row);
    }
}

#[target_feature(enable = "avx512f")]
fn store(sums: Sums, out: &mut [f32]) {
    for (sums, out) in sums.into_iter().zip(out.as_chunks_mut::<SIDE>().0) {
        // SAFETY: 16 numbers of 32 bits are 512 bits.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sums) };
    }
}
