//! Loops compiled for the vector instructions of the processor they run on.
//!
//! A program is built for every processor of its kind, but the loops that take the time should use what the one at hand
//! has. Each is compiled several times, for plain x86-64, AVX2 and AVX-512 (or NEON), and the best is picked when it runs.

use super::isa::{self, Isa};
use pulp::Arch;

/// The best vectors of this processor that are allowed.
pub(crate) fn arch() -> Arch {
    match isa::allowed() {
        Isa::Baseline => Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3),
        _ => Arch::new(),
    }
}

/// The mask of the first so many of 16 numbers.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn first_of_16(count: usize) -> u16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

/// Declares a function whose body is compiled for several instruction sets.
///
/// What the body calls is compiled along with it only if it is `#[inline(always)]`.
macro_rules! simd {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident $(<$real:ident: $bound:ident $(, const $axes:ident: usize)?>)?($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$attribute])*
        $visibility fn $name$(<$real: $bound $(, const $axes: usize)?>)?($($argument: $type),*) {
            struct Call<A $(, $real $(, const $axes: usize)?)?>(A $(, std::marker::PhantomData<$real>)?);

            impl$(<$real: $bound $(, const $axes: usize)?>)? pulp::WithSimd for Call<($($type,)*) $(, $real $(, $axes)?)?> {
                type Output = ();

                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) {
                    let ($($argument,)*) = self.0;
                    $body
                }
            }

            $crate::kernels::simd::arch().dispatch(Call::<_ $(, $real $(, $axes)?)?>(($($argument,)*) $(, std::marker::PhantomData::<$real>)?));
        }
    };
}
pub(crate) use simd;
