//! What vectors multiply at a time: one `f32`, or a pair of `bf16`.
//!
//! Where a processor has AVX512-BF16, an instruction multiplies two numbers of 8 significant bits, side by side in 32 bits, with two
//! others and adds both products to a sum of `f32`: on AMD's, from Zen 4 on, twice as many products as of `f32` in the same time. So a
//! kernel that is written for factors of 32 bits computes at either precision. On Intel's it takes four times as long as one
//! of `f32`: those that are fast with `bf16` have tiles.

use super::isa::{self, Isa};
use super::simd::arch;
use crate::Precision;
use pulp::{Simd, WithSimd};

/// A factor of 32 bits.
pub(super) trait Factor: Copy + Default + Send + Sync + 'static {
    /// The numbers in it.
    const NUMBERS: usize;

    /// Runs `work` with vectors that multiply such factors.
    ///
    /// # Panics
    /// If there are none.
    fn dispatch<W: WithSimd>(work: W) -> W::Output;

    /// Adds the products of a factor's numbers with those of each of the columns to the column's sum. The vectors are those of
    /// [`dispatch`](Self::dispatch).
    fn multiply_add<S: Simd>(simd: S, factor: Self, columns: S::f32s, sums: S::f32s) -> S::f32s;

    /// Writes factors of numbers that follow each other; the last one may lack a number.
    ///
    /// # Panics
    /// If there are more or fewer factors than these numbers make.
    fn of_numbers(numbers: &[f32], factors: &mut [Self]);

    /// Writes a factor of each number of the first row and, if it has two, that of the second one in the same place. The second row may end
    /// before the first.
    ///
    /// # Panics
    /// If the first row has more or fewer numbers than there are factors, or the second one more.
    fn of_rows(rows: [&[f32]; 2], factors: &mut [Self]);

    /// Numbers as factors where they lie, if they are.
    fn in_place(_numbers: &[f32]) -> Option<&[Self]> {
        None
    }
}

impl Factor for f32 {
    const NUMBERS: usize = 1;

    fn dispatch<W: WithSimd>(work: W) -> W::Output {
        arch().dispatch(work)
    }

    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, factor: Self, columns: S::f32s, sums: S::f32s) -> S::f32s {
        simd.mul_add_f32s(simd.splat_f32s(factor), columns, sums)
    }

    fn of_numbers(numbers: &[f32], factors: &mut [Self]) {
        factors.copy_from_slice(numbers);
    }

    fn of_rows([numbers, _]: [&[f32]; 2], factors: &mut [Self]) {
        factors.copy_from_slice(numbers);
    }

    fn in_place(numbers: &[f32]) -> Option<&[Self]> {
        Some(numbers)
    }
}

/// Two `bf16`, the first in the lower 16 bits. Of numbers below the normal ones they are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(transparent)]
pub(super) struct Pair(u32);

impl Pair {
    /// Whether products at this precision are those of pairs, on vectors: where the processor is quick at them, or tests ask for no more.
    pub(super) fn serve(precision: Precision) -> bool {
        precision == Precision::Bf16 && imp::available() && (imp::are_quick() || isa::allowed() == Isa::Avx512Bf16)
    }
}

impl Factor for Pair {
    const NUMBERS: usize = 2;

    fn dispatch<W: WithSimd>(work: W) -> W::Output {
        imp::dispatch(work)
    }

    #[inline(always)]
    fn multiply_add<S: Simd>(_simd: S, factor: Self, columns: S::f32s, sums: S::f32s) -> S::f32s {
        imp::multiply_add(factor.0, columns, sums)
    }

    fn of_numbers(numbers: &[f32], factors: &mut [Self]) {
        assert_eq!(numbers.len().div_ceil(2), factors.len(), "a pair for every two numbers");
        imp::round(numbers, factors);
    }

    fn of_rows([first, second]: [&[f32]; 2], factors: &mut [Self]) {
        assert!(first.len() == factors.len() && second.len() <= first.len(), "a pair for each number");
        imp::pair_up(first, second, factors);
    }
}

/// What needs the processor.
#[cfg(target_arch = "x86_64")]
mod imp {
    use super::super::simd::first_of_16;
    use super::{Isa, Pair, isa};
    use pulp::WithSimd;
    use pulp::bytemuck::{Pod, cast};
    use pulp::x86::V4;
    use std::arch::x86_64::*;
    use std::mem::transmute;
    use std::sync::OnceLock;

    /// Numbers in a vector.
    const LANES: usize = 16;

    /// The vectors that `pulp` knows, if the processor multiplies pairs as well.
    fn vectors() -> Option<V4> {
        static VECTORS: OnceLock<Option<V4>> = OnceLock::new();
        *VECTORS.get_or_init(|| {
            let has_pairs = isa::allowed() >= Isa::Avx512Bf16 && is_x86_feature_detected!("avx512bf16");
            V4::try_new().filter(|_| has_pairs)
        })
    }

    pub(super) fn available() -> bool {
        vectors().is_some()
    }

    /// Whether a pair takes no longer than an `f32`.
    pub(super) fn are_quick() -> bool {
        static ARE_QUICK: OnceLock<bool> = OnceLock::new();
        *ARE_QUICK.get_or_init(|| {
            let maker = __cpuid(0);
            [maker.ebx, maker.edx, maker.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD"
        })
    }

    fn expect_vectors() -> V4 {
        vectors().expect("pairs are for processors that multiply them")
    }

    /// See [`super::Factor::dispatch`].
    pub(super) fn dispatch<W: WithSimd>(work: W) -> W::Output {
        /// # Safety
        /// The processor must have all of these.
        #[target_feature(enable = "popcnt,bmi1,bmi2,lzcnt,avx2,fma")]
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16")]
        unsafe fn compiled_for_pairs<W: WithSimd>(simd: V4, work: W) -> W::Output {
            work.with_simd(simd)
        }
        let simd = expect_vectors();
        // SAFETY: there are vectors if the processor has what `pulp` asks for, which is all but the last, and that one.
        unsafe { compiled_for_pairs(simd, work) }
    }

    /// See [`super::Factor::multiply_add`]: called within [`dispatch`].
    #[inline(always)]
    pub(super) fn multiply_add<V: Pod>(pair: u32, columns: V, sums: V) -> V {
        let (columns, sums): (__m512i, __m512) = (cast(columns), cast(sums));
        // SAFETY: what is within `dispatch` runs where the processor has these; the types are all 512 bits.
        unsafe {
            let [pair, columns] = transmute::<[__m512i; 2], [__m512bh; 2]>([_mm512_set1_epi32(pair as i32), columns]);
            cast(_mm512_dpbf16_ps(sums, columns, pair))
        }
    }

    /// See [`super::Factor::of_numbers`].
    pub(super) fn round(numbers: &[f32], pairs: &mut [Pair]) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        unsafe fn round(numbers: &[f32], to: *mut u16) {
            for at in (0..numbers.len()).step_by(LANES) {
                let mask = first_of_16(numbers.len() - at);
                // Of an odd count, the last pair lacks a number, for which 0 is written.
                let written = first_of_16((numbers.len() - at).next_multiple_of(2));
                // SAFETY: the masks leave out what is beyond the last number, and the last pair; both types are 256 bits.
                unsafe {
                    let numbers = _mm512_maskz_loadu_ps(mask, numbers.as_ptr().add(at));
                    let rounded = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(numbers));
                    _mm256_mask_storeu_epi16(to.add(at).cast(), written, rounded);
                }
            }
        }
        expect_vectors();
        assert!(numbers.len() <= 2 * pairs.len(), "a pair for every two numbers");
        // SAFETY: there are vectors; a pair is two numbers of 16 bits.
        unsafe { round(numbers, pairs.as_mut_ptr().cast()) }
    }

    /// See [`super::Factor::of_rows`].
    pub(super) fn pair_up(numbers: &[f32], others: &[f32], pairs: &mut [Pair]) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        unsafe fn pair_up(numbers: &[f32], others: &[f32], to: *mut Pair) {
            for at in (0..numbers.len()).step_by(LANES) {
                let masks = [numbers, others].map(|numbers| first_of_16(numbers.len().saturating_sub(at)));
                // SAFETY: the masks leave out what is beyond the last number; the types are 256 bits.
                unsafe {
                    let number = _mm512_maskz_loadu_ps(masks[0], numbers.as_ptr().add(at));
                    let other = _mm512_maskz_loadu_ps(masks[1], others.as_ptr().wrapping_add(at));
                    let both = [_mm512_cvtneps_pbh(number), _mm512_cvtneps_pbh(other)];
                    let [number, other] = transmute::<[__m256bh; 2], [__m256i; 2]>(both);
                    let other = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(other));
                    let pairs = _mm512_or_si512(_mm512_cvtepu16_epi32(number), other);
                    _mm512_mask_storeu_epi32(to.add(at).cast(), masks[0], pairs);
                }
            }
        }
        expect_vectors();
        assert!(numbers.len() <= pairs.len(), "a pair for each number");
        // SAFETY: there are vectors, and room.
        unsafe { pair_up(numbers, others, pairs.as_mut_ptr()) }
    }
}

/// What stands for it on other processors.
#[cfg(not(target_arch = "x86_64"))]
mod imp {
    use super::Pair;
    use pulp::WithSimd;

    pub(super) fn available() -> bool {
        false
    }

    pub(super) fn are_quick() -> bool {
        false
    }

    pub(super) fn dispatch<W: WithSimd>(_: W) -> W::Output {
        unreachable!("there are no pairs")
    }

    pub(super) fn multiply_add<V>(_: u32, _: V, _: V) -> V {
        unreachable!("there are no pairs")
    }

    pub(super) fn round(_: &[f32], _: &mut [Pair]) {
        unreachable!("there are no pairs")
    }

    pub(super) fn pair_up(_: &[f32], _: &[f32], _: &mut [Pair]) {
        unreachable!("there are no pairs")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testing::numbers;

    /// The nearest `bf16`, of two the even one.
    pub(in super::super) fn rounded(x: f32) -> f32 {
        f32::from_bits((x.to_bits() + 0x7fff + (x.to_bits() >> 16 & 1)) & 0xffff_0000)
    }

    fn pair(first: f32, second: f32) -> Pair {
        Pair(rounded(first).to_bits() >> 16 | rounded(second).to_bits())
    }

    /// As [`numbers`], with some that are rounded to infinity, or lie between two.
    fn with_odd_ones(count: usize) -> Vec<f32> {
        let mut xs = numbers(count, 3);
        let odd = [f32::INFINITY, f32::MAX, f32::NEG_INFINITY, 1.003_906_2, 1.011_718_8, -0.0];
        xs.iter_mut().step_by(3).zip(odd).for_each(|(x, odd)| *x = odd);
        xs
    }

    #[test]
    fn pairs_are_of_the_nearest_numbers() {
        assert_eq!([1.003_906_2, 1.011_718_8, f32::MAX].map(rounded), [1.0, 1.015_625, f32::INFINITY]);
        if !imp::available() {
            return;
        }
        for count in [0, 1, 2, 15, 16, 17, 40, 71] {
            let (xs, ys) = (with_odd_ones(count), numbers::<f32>(count, 4));
            let mut found = vec![Pair(7); count.div_ceil(2)];
            Pair::of_numbers(&xs, &mut found);
            let expected: Vec<Pair> = xs.chunks(2).map(|xs| pair(xs[0], xs.get(1).copied().unwrap_or(0.0))).collect();
            assert_eq!(found, expected);
            for ys in [&ys[..], &ys[..count / 3]] {
                let mut found = vec![Pair(7); count];
                Pair::of_rows([&xs, ys], &mut found);
                let expected = (0..count).map(|at| pair(xs[at], ys.get(at).copied().unwrap_or(0.0)));
                assert_eq!(found, expected.collect::<Vec<_>>());
            }
        }
        let mut found = [Pair(0)];
        Pair::of_numbers(&[f32::from_bits(0x7f80_0001), f32::NAN], &mut found);
        let [Pair(pair)] = found;
        assert!(f32::from_bits(pair << 16).is_nan() && f32::from_bits(pair).is_nan(), "not a number stays so");
    }

    #[test]
    fn pairs_serve_rounded_products_alone() {
        assert!(!Pair::serve(Precision::F32) && !Pair::serve(Precision::Tf32));
        assert!(isa::allowed() >= Isa::Avx512Bf16 || !Pair::serve(Precision::Bf16));
    }
}
