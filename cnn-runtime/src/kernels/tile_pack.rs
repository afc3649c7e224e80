//! Tiles laid out from numbers where they lie: split into pieces, put in pairs and turned without leaving vector registers.
//!
//! Products are summed over the numbers of a line of a left tile, and over the lines of a right one, two of which lie side by side, in
//! pairs. A right tile of which the numbers to sum over follow each other in memory is turned, which is that pairs change places with
//! lines, and so is a left tile of which they lie apart.

use super::tiles::{DEPTH, SIDE, TILE, available};

/// Where the numbers of a line lie, from its start.
#[derive(Clone, Copy)]
pub(super) enum Places<'a> {
    /// So many, one after the other.
    First(usize),
    /// At each of these.
    At(&'a [usize]),
}

impl Places<'_> {
    fn len(self) -> usize {
        match self {
            Self::First(len) => len,
            Self::At(places) => places.len(),
        }
    }

    /// One past the last place.
    fn end(self) -> usize {
        match self {
            Self::First(len) => len,
            Self::At(places) => places.iter().max().map_or(0, |place| place + 1),
        }
    }
}

/// Writes a right tile for each piece, of up to 16 columns of `len` numbers, up to 32, that begin `pitch` apart. The rest is 0.
///
/// # Panics
/// If there are no tiles, a column is not all in `from`, or `tiles` are neither one nor three.
pub(super) fn pack_columns(from: &[f32], pitch: usize, [count, len]: [usize; 2], tiles: &mut [u16]) {
    assert!(available() && count <= SIDE && len <= DEPTH, "columns of a tile");
    assert!(count == 0 || (count - 1) * pitch + len <= from.len(), "numbers of each column");
    // SAFETY: where there are tiles, there are these vectors; the columns were checked to be there.
    unsafe {
        match tiles.as_chunks_mut() {
            ([tile], []) => imp::pack_columns(from.as_ptr(), pitch, [count, len], [tile]),
            ([high, middle, low], []) => imp::pack_columns(from.as_ptr(), pitch, [count, len], [high, middle, low]),
            _ => unreachable!("a number is one piece or three"),
        }
    }
}

/// Writes a right tile for each piece, of 16 pairs of lines, which begin at `starts`, of which there are up to 32, and have up to 16
/// numbers at `places`. What is not there is 0. If `turned`, pairs have changed places with columns, which makes it a left tile.
///
/// # Panics
/// As [`pack_columns`], and if a place is beyond 2³¹ − 1.
pub(super) fn pack_pairs(from: &[f32], starts: &[Option<usize>], places: Places, turned: bool, tiles: &mut [u16]) {
    assert!(available() && starts.len() <= DEPTH && places.len() <= SIDE, "lines of a tile");
    let end = places.end();
    assert!(starts.iter().flatten().all(|start| start + end <= from.len()), "numbers of each line");
    // SAFETY: where there are tiles, there are these vectors; the lines were checked to reach as far as the last place.
    unsafe {
        match tiles.as_chunks_mut() {
            ([tile], []) => imp::pack_pairs(from.as_ptr(), starts, places, turned, [tile]),
            ([high, middle, low], []) => imp::pack_pairs(from.as_ptr(), starts, places, turned, [high, middle, low]),
            _ => unreachable!("a number is one piece or three"),
        }
    }
}

/// Writes the pieces of every number of `first` beside those of the same number of `second`, or 0 where that is shorter, to planes
/// `plane` pairs apart, as many as `pairs` reaches over.
///
/// # Panics
/// If there are no tiles, neither one nor three pieces, or no room.
pub(super) fn pair_up(first: &[f32], second: &[f32], pairs: &mut [u32], plane: usize) {
    assert!(available() && second.len() <= first.len() && first.len() <= plane, "pairs are for tiles");
    let pieces = pairs.len().div_ceil(plane);
    assert!((pieces - 1) * plane + first.len() <= pairs.len(), "pairs of each number");
    // SAFETY: where there are tiles, there are these vectors; each plane was checked to have room for every pair.
    unsafe {
        match pieces {
            1 => imp::pair_up::<1>(first, second, pairs.as_mut_ptr(), plane),
            3 => imp::pair_up::<3>(first, second, pairs.as_mut_ptr(), plane),
            _ => unreachable!("a number is one piece or three"),
        }
    }
}

/// What needs the processor, for those that have tiles.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod imp {
    use super::super::simd::first_of_16;
    use super::super::tile_pieces::imp::{both_pieces, pieces};
    use super::{DEPTH, Places, SIDE, TILE};
    use std::arch::x86_64::*;

    /// See [`super::pack_columns`].
    ///
    /// # Safety
    /// The columns must be there.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn pack_columns<const PIECES: usize>(
        from: *const f32,
        pitch: usize,
        [count, len]: [usize; 2],
        mut tiles: [&mut [u16; TILE]; PIECES],
    ) {
        let masks = [first_of_16(len), first_of_16(len.saturating_sub(SIDE))];
        for number in 0..SIDE {
            let mut halves = [_mm512_setzero_ps(); 2];
            if number < count {
                // SAFETY: the masks leave out what is beyond the column, which the caller says is there.
                halves = unsafe {
                    let column = from.add(number * pitch);
                    [_mm512_maskz_loadu_ps(masks[0], column), _mm512_maskz_loadu_ps(masks[1], column.wrapping_add(SIDE))]
                };
            }
            write(both_pieces::<PIECES>(halves[0], halves[1]), number, &mut tiles);
        }
        for tile in tiles {
            turn(tile);
        }
    }

    /// See [`super::pack_pairs`].
    ///
    /// # Safety
    /// Each line must reach as far as the last place.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn pack_pairs<const PIECES: usize>(
        from: *const f32,
        starts: &[Option<usize>],
        places: Places,
        turned: bool,
        mut tiles: [&mut [u16; TILE]; PIECES],
    ) {
        let mask = first_of_16(places.len());
        let mut offsets = [0; SIDE];
        if let Places::At(places) = places {
            for (offset, place) in offsets.iter_mut().zip(places) {
                *offset = i32::try_from(*place).expect("a place below 2³¹");
            }
        }
        // SAFETY: 16 numbers of 32 bits are 512 bits.
        let offsets = unsafe { _mm512_loadu_si512(offsets.as_ptr().cast()) };
        for number in 0..SIDE {
            let mut both = [_mm512_setzero_ps(); 2];
            for (place, line) in both.iter_mut().enumerate() {
                if let Some(Some(start)) = starts.get(2 * number + place) {
                    // SAFETY: the mask leaves out what is beyond the last place, up to which the caller says the line is there.
                    *line = unsafe {
                        match places {
                            Places::First(_) => _mm512_maskz_loadu_ps(mask, from.add(*start)),
                            Places::At(_) => _mm512_mask_i32gather_ps::<4>(*line, mask, offsets, from.add(*start)),
                        }
                    };
                }
            }
            write(pairs::<PIECES>(both[0], both[1]), number, &mut tiles);
        }
        if turned {
            for tile in tiles {
                turn(tile);
            }
        }
    }

    /// See [`super::pair_up`].
    ///
    /// # Safety
    /// Each plane must have room for as many pairs as there are `numbers`, and `others` must not be more.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn pair_up<const PIECES: usize>(numbers: &[f32], others: &[f32], to: *mut u32, plane: usize) {
        for at in (0..numbers.len()).step_by(SIDE) {
            let masks = [numbers, others].map(|numbers| first_of_16(numbers.len().saturating_sub(at)));
            // SAFETY: the masks leave out what is beyond the last number, and the caller says that there is room for the others.
            unsafe {
                let number = _mm512_maskz_loadu_ps(masks[0], numbers.as_ptr().add(at));
                let other = _mm512_maskz_loadu_ps(masks[1], others.as_ptr().wrapping_add(at));
                for (piece, pairs) in pairs::<PIECES>(number, other).into_iter().enumerate() {
                    _mm512_mask_storeu_epi32(to.add(piece * plane + at).cast(), masks[0], pairs);
                }
            }
        }
    }

    /// The pieces of 16 numbers, each beside that of another.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn pairs<const PIECES: usize>(numbers: __m512, others: __m512) -> [__m512i; PIECES] {
        let mut pairs = [_mm512_setzero_si512(); PIECES];
        if PIECES == 1 {
            let [number, other] = [_mm512_cvtneps_pbh(numbers), _mm512_cvtneps_pbh(others)];
            // SAFETY: both types are 256 bits.
            let [number, other] = unsafe { std::mem::transmute::<[__m256bh; 2], [__m256i; 2]>([number, other]) };
            pairs[0] = _mm512_or_si512(_mm512_cvtepu16_epi32(number), _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(other)));
            return pairs;
        }
        let (numbers, others) = (pieces(numbers), pieces(others));
        for piece in 0..PIECES {
            // The lowest piece of a number near the smallest there are has more digits than its upper half.
            pairs[piece] = _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(numbers[piece]), others[piece]);
        }
        pairs
    }

    /// Writes a line of 16 pairs for each piece.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn write<const PIECES: usize>(pairs: [__m512i; PIECES], line: usize, tiles: &mut [&mut [u16; TILE]; PIECES]) {
        for (pairs, tile) in pairs.into_iter().zip(tiles) {
            store(pairs, &mut tile.as_chunks_mut().0[line]);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(pairs: __m512i, line: &mut [u16; DEPTH]) {
        // SAFETY: 32 numbers of 16 bits are 512 bits.
        unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), pairs) }
    }

    /// Makes lines of columns: swaps quarters of ever larger squares, the pairs that lie `apart` beside the diagonal.
    #[target_feature(enable = "avx512f")]
    fn turn(tile: &mut [u16; TILE]) {
        let (tile, _) = tile.as_chunks_mut::<DEPTH>();
        let mut lines = [_mm512_setzero_si512(); SIDE];
        // Loops rather than closures, which would not be compiled for these vectors.
        for (line, from) in lines.iter_mut().zip(&*tile) {
            // SAFETY: 32 numbers of 16 bits are 512 bits.
            *line = unsafe { _mm512_loadu_si512(from.as_ptr().cast()) };
        }
        for (step, [upper, lower]) in SWAPS.iter().enumerate() {
            // SAFETY: 16 numbers of 32 bits are 512 bits.
            let [upper, lower] =
                unsafe { [_mm512_loadu_si512(upper.as_ptr().cast()), _mm512_loadu_si512(lower.as_ptr().cast())] };
            let apart = 1 << step;
            for line in 0..SIDE {
                if line & apart == 0 {
                    let (a, b) = (lines[line], lines[line + apart]);
                    lines[line] = _mm512_permutex2var_epi32(a, upper, b);
                    lines[line + apart] = _mm512_permutex2var_epi32(a, lower, b);
                }
            }
        }
        for (line, to) in lines.into_iter().zip(tile) {
            store(line, to);
        }
    }

    /// For pairs of lines 1, 2, 4 and 8 apart, where in both each number of the upper line, and of the lower one, comes from.
    const SWAPS: [[[i32; SIDE]; 2]; 4] = {
        let mut swaps = [[[0; SIDE]; 2]; 4];
        let mut at = 0;
        while at < 4 * SIDE {
            let (step, lane) = (at / SIDE, at % SIDE);
            let apart = 1 << step;
            let is_first = lane & apart == 0;
            swaps[step][0][lane] = if is_first { lane as i32 } else { (lane - apart + SIDE) as i32 };
            swaps[step][1][lane] = if is_first { (lane + apart) as i32 } else { (lane + SIDE) as i32 };
            at += 1;
        }
        swaps
    };

    const _: () = assert!(DEPTH == 2 * SIDE);
}

/// What stands for it on processors without tiles.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod imp {
    use super::{Places, TILE};

    pub(super) unsafe fn pack_columns<const PIECES: usize>(
        _: *const f32,
        _: usize,
        _: [usize; 2],
        _: [&mut [u16; TILE]; PIECES],
    ) {
        unreachable!("there are no tiles")
    }

    pub(super) unsafe fn pack_pairs<const PIECES: usize>(
        _: *const f32,
        _: &[Option<usize>],
        _: Places,
        _: bool,
        _: [&mut [u16; TILE]; PIECES],
    ) {
        unreachable!("there are no tiles")
    }

    pub(super) unsafe fn pair_up<const PIECES: usize>(_: &[f32], _: &[f32], _: *mut u32, _: usize) {
        unreachable!("there are no tiles")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tile_pieces::split;
    use super::*;
    use crate::testing;

    /// Numbers of which every seventh or so is smaller than its pieces can be.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let tiny = [1.234_5e-36, 3.3e-38, -1e-40, 7.7e-34, f32::from_bits(1)];
        let mut xs = testing::numbers::<f32>(count, seed);
        xs.iter_mut().skip(seed % 7).step_by(7).zip(tiny.iter().cycle()).for_each(|(x, tiny)| *x = *tiny);
        xs
    }

    /// The pieces of some numbers, plane by plane.
    fn pieces(xs: &[f32], count: usize) -> Vec<u16> {
        let mut pieces = vec![0; count * xs.len()];
        split(xs, &mut pieces, xs.len());
        pieces
    }

    /// The tile of the numbers at `line` and `at` of so many lines: as they are, or pairs in place of lines.
    fn tile(number: impl Fn(usize, usize) -> u16, turned: bool) -> Vec<u16> {
        let place = |at: usize| (at / DEPTH, at % DEPTH);
        let turn = |(line, at): (usize, usize)| if turned { (at / 2, 2 * line + at % 2) } else { (line, at) };
        (0..TILE).map(|at| turn(place(at))).map(|(line, at)| number(line, at)).collect()
    }

    #[test]
    fn columns_become_pairs_of_lines() {
        if !available() {
            return;
        }
        let (xs, pitch) = (numbers(1000, 5), 29);
        for count in [1, 3] {
            let all = pieces(&xs, count);
            for [columns, len] in [[16, 32], [1, 1], [16, 17], [7, 16], [0, 32], [15, 31]] {
                let mut found = vec![7; count * TILE];
                pack_columns(&xs[3..], pitch, [columns, len], &mut found);
                for (number, found) in found.chunks(TILE).enumerate() {
                    let at = |column: usize, at: usize| {
                        let is_there = column < columns && at < len;
                        if is_there { all[number * xs.len() + 3 + column * pitch + at] } else { 0 }
                    };
                    assert_eq!(found, tile(at, true), "{columns} columns of {len}");
                }
            }
        }
    }

    #[test]
    fn two_lines_of_a_pair_lie_side_by_side() {
        if !available() {
            return;
        }
        let xs = numbers(1000, 5);
        let apart: Vec<_> = (0..SIDE).map(|place| place * 9 % 64).collect();
        for (count, turned) in [(1, false), (3, false), (1, true), (3, true)] {
            let all = pieces(&xs, count);
            for [lines, len] in [[32, 16], [1, 1], [31, 16], [32, 3], [3, 0], [0, 16]] {
                let starts: Vec<_> = (0..lines).map(|line| (line % 5 != 3).then_some(line * 17 + line % 2)).collect();
                for places in [Places::First(len), Places::At(&apart[..len])] {
                    let place = |at: usize| if let Places::At(places) = places { places[at] } else { at };
                    let mut found = vec![7; count * TILE];
                    pack_pairs(&xs, &starts, places, turned, &mut found);
                    for (number, found) in found.chunks(TILE).enumerate() {
                        let at = |pair: usize, at: usize| match starts.get(2 * pair + at % 2) {
                            Some(Some(start)) if at / 2 < len => all[number * xs.len() + start + place(at / 2)],
                            _ => 0,
                        };
                        assert_eq!(found, tile(at, turned), "{lines} lines of {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_number_without_another_stands_beside_0() {
        if !available() {
            return;
        }
        let xs = numbers(100, 1);
        for (count, [first, second]) in [(1, [40, 40]), (3, [37, 37]), (3, [50, 20]), (1, [16, 0]), (3, [5, 5])] {
            let (all, plane) = (pieces(&xs, count), 64);
            let mut pairs = vec![7; (count - 1) * plane + first];
            pair_up(&xs[..first], &xs[50..50 + second], &mut pairs, plane);
            for (number, pairs) in pairs.chunks(plane).enumerate() {
                for (at, pair) in pairs[..first].iter().enumerate() {
                    let other = if at < second { all[number * xs.len() + 50 + at] } else { 0 };
                    assert_eq!(*pair, u32::from(all[number * xs.len() + at]) | u32::from(other) << 16);
                }
                assert!(pairs[first..].iter().all(|other| *other == 7));
            }
        }
    }

    /// That some work panics so where there are tiles.
    fn expect_panic(message: &str, work: impl FnOnce() + std::panic::UnwindSafe) {
        let found = std::panic::catch_unwind(work).expect_err(message);
        let found = found.downcast_ref::<&str>().copied();
        assert_eq!(found, Some(message));
    }

    #[test]
    fn refuses_numbers_that_are_not_there() {
        if !available() {
            return;
        }
        let xs = [0.0; 100];
        expect_panic("numbers of each column", || pack_columns(&xs, 30, [4, 11], &mut [0; TILE]));
        expect_panic("columns of a tile", || pack_columns(&xs, 1, [17, 1], &mut [0; TILE]));
        let starts = [None, Some(90)];
        expect_panic("numbers of each line", || pack_pairs(&xs, &starts, Places::First(11), false, &mut [0; TILE]));
        expect_panic("numbers of each line", || pack_pairs(&xs, &starts, Places::At(&[0, 10, 5]), false, &mut [0; TILE]));
        expect_panic("lines of a tile", || pack_pairs(&xs, &starts, Places::First(17), false, &mut [0; TILE]));
        expect_panic("pairs of each number", || pair_up(&xs, &xs, &mut [0; 99], 100));
        expect_panic("pairs are for tiles", || pair_up(&xs[..9], &xs[..10], &mut [0; 100], 100));
    }
}
