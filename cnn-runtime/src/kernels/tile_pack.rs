//! Tiles laid out from numbers where they lie: split into pieces, put in pairs and turned without leaving vector registers.
//!
//! Products are summed over the numbers of a line of a left tile, and over the lines of a right one, two of which lie side by side, in
//! pairs. Where the numbers to sum over follow each other in memory, a left tile has them in order, and a right one is turned: pairs
//! change places with lines. Where they lie apart, it is the other way round.

use super::tiles::{DEPTH, SIDE, TILE, available};

/// Writes tiles of up to 16 lines of up to 32 numbers, one for each piece, `plane` numbers apart: lines of `len` numbers that begin
/// `pitch` apart. The rest is 0. If `turned`, pairs of numbers have changed places with lines.
///
/// # Panics
/// If there are no tiles, a line is not all in `from`, or there is no room for the tiles.
pub(super) fn pack_lines(from: &[f32], pitch: usize, [count, len]: [usize; 2], turned: bool, tiles: &mut [u16], plane: usize) {
    assert!(available() && count <= SIDE && len <= DEPTH, "lines of a tile");
    assert!(count == 0 || (count - 1) * pitch + len <= from.len(), "numbers of each line");
    let pieces = expect_room(tiles, plane);
    // SAFETY: where there are tiles, there are these vectors; the lines were checked to be there, and the tiles to have room.
    unsafe {
        match pieces {
            1 => imp::pack_lines::<1>(from.as_ptr(), pitch, [count, len], turned, tiles.as_mut_ptr(), plane),
            _ => imp::pack_lines::<3>(from.as_ptr(), pitch, [count, len], turned, tiles.as_mut_ptr(), plane),
        }
    }
}

/// Writes tiles of 16 pairs of lines of up to 16 numbers, one for each piece, `plane` numbers apart: lines of `len` numbers that begin
/// at `starts`, of which there are up to 32. What is not there is 0. If `turned`, pairs have changed places with numbers of a line.
///
/// # Panics
/// As [`pack_lines`].
pub(super) fn pack_pairs(from: &[f32], starts: &[Option<usize>], len: usize, turned: bool, tiles: &mut [u16], plane: usize) {
    assert!(available() && starts.len() <= DEPTH && len <= SIDE, "lines of a tile");
    assert!(starts.iter().flatten().all(|start| start + len <= from.len()), "numbers of each line");
    let pieces = expect_room(tiles, plane);
    // SAFETY: as above.
    unsafe {
        match pieces {
            1 => imp::pack_pairs::<1>(from.as_ptr(), starts, len, turned, tiles.as_mut_ptr(), plane),
            _ => imp::pack_pairs::<3>(from.as_ptr(), starts, len, turned, tiles.as_mut_ptr(), plane),
        }
    }
}

/// As [`pack_pairs`] of the numbers that lie at each of up to 16 `columns` from the start of a line.
///
/// # Panics
/// As [`pack_lines`], and if a column is beyond 2³¹ − 1.
pub(super) fn gather_pairs(from: &[f32], starts: &[Option<usize>], columns: &[usize], tiles: &mut [u16], plane: usize) {
    assert!(available() && starts.len() <= DEPTH && columns.len() <= SIDE, "lines of a tile");
    let furthest = columns.iter().max().map_or(0, |column| column + 1);
    assert!(starts.iter().flatten().all(|start| start + furthest <= from.len()), "numbers of each line");
    let mut places = [0; SIDE];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = i32::try_from(*column).expect("a matrix of less than 2³¹ numbers");
    }
    let pieces = expect_room(tiles, plane);
    // SAFETY: as above; the places are the columns, as many as are gathered.
    unsafe {
        match pieces {
            1 => imp::gather_pairs::<1>(from.as_ptr(), starts, &places, columns.len(), tiles.as_mut_ptr(), plane),
            _ => imp::gather_pairs::<3>(from.as_ptr(), starts, &places, columns.len(), tiles.as_mut_ptr(), plane),
        }
    }
}

/// The pieces of tiles `plane` apart.
fn expect_room(tiles: &[u16], plane: usize) -> usize {
    let pieces = tiles.len().div_ceil(plane);
    assert!(matches!(pieces, 1 | 3), "a number is one piece or three");
    assert!(plane >= TILE && (pieces - 1) * plane + TILE <= tiles.len(), "room for a tile of each piece");
    pieces
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
    use super::super::tile_pieces::imp::{both_pieces, pieces};
    use super::{DEPTH, SIDE};
    use std::arch::x86_64::*;

    /// The first `len` of 16 numbers.
    fn first(len: usize) -> u16 {
        if len >= SIDE { u16::MAX } else { (1 << len) - 1 }
    }

    /// See [`super::pack_lines`].
    ///
    /// # Safety
    /// The lines must be there, and room for the tiles.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn pack_lines<const PIECES: usize>(
        from: *const f32,
        pitch: usize,
        [count, len]: [usize; 2],
        turned: bool,
        tiles: *mut u16,
        plane: usize,
    ) {
        let masks = [first(len), first(len.saturating_sub(SIDE))];
        for number in 0..SIDE {
            let mut halves = [_mm512_setzero_ps(); 2];
            if number < count {
                // SAFETY: the masks leave out what is beyond the line, which the caller says is there.
                halves = unsafe {
                    let line = from.add(number * pitch);
                    [_mm512_maskz_loadu_ps(masks[0], line), _mm512_maskz_loadu_ps(masks[1], line.wrapping_add(SIDE))]
                };
            }
            // SAFETY: the caller says that there is room.
            unsafe { write(both_pieces::<PIECES>(halves[0], halves[1]), number, tiles, plane) }
        }
        if turned {
            // SAFETY: all lines of the tiles have just been written.
            (0..PIECES).for_each(|piece| unsafe { turn(tiles.add(piece * plane)) });
        }
    }

    /// See [`super::pack_pairs`].
    ///
    /// # Safety
    /// The lines must be there, and room for the tiles.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn pack_pairs<const PIECES: usize>(
        from: *const f32,
        starts: &[Option<usize>],
        len: usize,
        turned: bool,
        tiles: *mut u16,
        plane: usize,
    ) {
        let mask = first(len);
        for number in 0..SIDE {
            let mut both = [_mm512_setzero_ps(); 2];
            for (place, line) in both.iter_mut().enumerate() {
                if let Some(Some(start)) = starts.get(2 * number + place) {
                    // SAFETY: the mask leaves out what is beyond the line, which the caller says is there.
                    *line = unsafe { _mm512_maskz_loadu_ps(mask, from.add(*start)) };
                }
            }
            // SAFETY: the caller says that there is room.
            unsafe { write(pairs::<PIECES>(both[0], both[1]), number, tiles, plane) }
        }
        if turned {
            // SAFETY: all lines of the tiles have just been written.
            (0..PIECES).for_each(|piece| unsafe { turn(tiles.add(piece * plane)) });
        }
    }

    /// See [`super::gather_pairs`].
    ///
    /// # Safety
    /// Each line must reach as far as the first `len` places, which may not be negative, and there must be room for the tiles.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn gather_pairs<const PIECES: usize>(
        from: *const f32,
        starts: &[Option<usize>],
        places: &[i32; SIDE],
        len: usize,
        tiles: *mut u16,
        plane: usize,
    ) {
        let mask = first(len);
        // SAFETY: 16 numbers of 32 bits are 512 bits.
        let places = unsafe { _mm512_loadu_si512(places.as_ptr().cast()) };
        for number in 0..SIDE {
            let mut both = [_mm512_setzero_ps(); 2];
            for (place, line) in both.iter_mut().enumerate() {
                if let Some(Some(start)) = starts.get(2 * number + place) {
                    // SAFETY: the mask leaves out what is beyond the last place, up to which the caller says the line is there.
                    *line = unsafe { _mm512_mask_i32gather_ps::<4>(*line, mask, places, from.add(*start)) };
                }
            }
            // SAFETY: the caller says that there is room.
            unsafe { write(pairs::<PIECES>(both[0], both[1]), number, tiles, plane) }
        }
    }

    /// See [`super::pair_up`].
    ///
    /// # Safety
    /// Each plane must have room for as many pairs as there are `numbers`, and `others` must not be more.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn pair_up<const PIECES: usize>(numbers: &[f32], others: &[f32], to: *mut u32, plane: usize) {
        for at in (0..numbers.len()).step_by(SIDE) {
            let masks = [numbers, others].map(|numbers| first(numbers.len().saturating_sub(at)));
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
    ///
    /// # Safety
    /// There must be room for a tile of each.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn write<const PIECES: usize>(pairs: [__m512i; PIECES], line: usize, tiles: *mut u16, plane: usize) {
        for (piece, pairs) in pairs.into_iter().enumerate() {
            // SAFETY: the caller says that there is room.
            unsafe { _mm512_storeu_si512(tiles.add(piece * plane + line * DEPTH).cast(), pairs) }
        }
    }

    /// Makes lines of columns: swaps quarters of ever larger squares, the pairs that lie `apart` beside the diagonal.
    ///
    /// # Safety
    /// It must be a tile.
    #[target_feature(enable = "avx512f")]
    unsafe fn turn(tile: *mut u16) {
        let mut lines = [_mm512_setzero_si512(); SIDE];
        // Loops rather than closures, which would not be compiled for these vectors.
        for (number, line) in lines.iter_mut().enumerate() {
            // SAFETY: the caller says that all lines are there.
            *line = unsafe { _mm512_loadu_si512(tile.add(number * DEPTH).cast()) };
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
        for (number, line) in lines.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(tile.add(number * DEPTH).cast(), line) }
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
    pub(super) unsafe fn pack_lines<const PIECES: usize>(_: *const f32, _: usize, _: [usize; 2], _: bool, _: *mut u16, _: usize) {
        unreachable!("there are no tiles")
    }

    pub(super) unsafe fn pack_pairs<const PIECES: usize>(
        _: *const f32,
        _: &[Option<usize>],
        _: usize,
        _: bool,
        _: *mut u16,
        _: usize,
    ) {
        unreachable!("there are no tiles")
    }

    pub(super) unsafe fn gather_pairs<const PIECES: usize>(
        _: *const f32,
        _: &[Option<usize>],
        _: &[i32; super::SIDE],
        _: usize,
        _: *mut u16,
        _: usize,
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
    fn tiles_are_of_the_pieces_of_each_number() {
        if !available() {
            return;
        }
        let (xs, pitch) = (numbers(1000, 5), 29);
        for (count, turned) in [(1, false), (3, false), (1, true), (3, true)] {
            let (all, plane) = (pieces(&xs, count), TILE + 64);
            let piece = |plane: usize, at: usize| all[plane * xs.len() + at];
            for [lines, len] in [[16, 32], [1, 1], [16, 17], [7, 16], [0, 32], [15, 31]] {
                let mut found = vec![7; (count - 1) * plane + TILE];
                pack_lines(&xs[3..], pitch, [lines, len], turned, &mut found, plane);
                for (number, found) in found.chunks(plane).enumerate() {
                    let at = |line, at| if line < lines && at < len { piece(number, 3 + line * pitch + at) } else { 0 };
                    assert_eq!(found[..TILE], tile(at, turned), "{lines} lines of {len}");
                    assert!(found[TILE..].iter().all(|other| *other == 7), "beside {lines} lines of {len}");
                }
            }
            for [lines, len] in [[32, 16], [1, 1], [31, 16], [32, 3], [0, 16]] {
                let start = |line: usize| (line % 5 != 3).then_some(line * pitch / 2 + line % 2);
                let starts: Vec<_> = (0..lines).map(start).collect();
                let mut found = vec![7; count * TILE];
                pack_pairs(&xs, &starts, len, turned, &mut found, TILE);
                for (number, found) in found.chunks(TILE).enumerate() {
                    // In a right tile, the two lines of a pair lie side by side.
                    let at = |pair: usize, at: usize| match starts.get(2 * pair + at % 2) {
                        Some(Some(start)) if at / 2 < len => piece(number, start + at / 2),
                        _ => 0,
                    };
                    assert_eq!(found, tile(at, turned), "{lines} lines in pairs, of {len}");
                }
            }
        }
    }

    #[test]
    fn numbers_that_lie_apart_are_gathered() {
        if !available() {
            return;
        }
        let xs = numbers(1000, 5);
        for (count, [lines, len]) in [(1, [32, 16]), (3, [31, 16]), (3, [32, 5]), (1, [3, 1]), (3, [1, 0])] {
            let all = pieces(&xs, count);
            let starts: Vec<_> = (0..lines).map(|line| (line % 5 != 3).then_some(line * 17)).collect();
            let columns: Vec<_> = (0..len).map(|column| column * 9 % 64).collect();
            let mut found = vec![7; count * TILE];
            gather_pairs(&xs, &starts, &columns, &mut found, TILE);
            for (number, found) in found.chunks(TILE).enumerate() {
                let at = |pair: usize, at: usize| match (starts.get(2 * pair + at % 2), columns.get(at / 2)) {
                    (Some(Some(start)), Some(column)) => all[number * xs.len() + start + column],
                    _ => 0,
                };
                assert_eq!(found, tile(at, false), "{lines} lines of {len}");
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

    #[test]
    #[should_panic(expected = "numbers of each line")]
    fn refuses_lines_that_are_not_there() {
        if !available() {
            panic!("numbers of each line, had there been tiles")
        }
        pack_lines(&[0.0; 100], 30, [4, 11], false, &mut [0; TILE], TILE);
    }
}
