//! Where a window lies over a batch, as kernels and cuDNN are told.

use super::Geometry;

/// Where a window lies over a batch of volumes, with all sizes resolved; images and sequences are volumes whose first axes
/// have one cell. As in `cuda/window.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    pub(crate) batch: i64,
    pub(crate) channels: i64,
    pub(crate) input: [i64; 3],
    pub(crate) output: [i64; 3],
    pub(crate) size: [i64; 3],
    pub(crate) strides: [i64; 3],
    pub(crate) dilation: [i64; 3],
    pub(crate) before: [i64; 3],
}

// SAFETY: it is numbers of one size, and so is that of `cuda/window.h`.
unsafe impl Geometry for Window {}

/// Numbers of up to three axes, of which the first, where there are fewer, have `missing`.
pub(crate) fn on_three_axes<const N: usize>(numbers: [usize; N], missing: i64) -> [i64; 3] {
    std::array::from_fn(|axis| (axis + N).checked_sub(3).map_or(missing, |axis| numbers[axis] as i64))
}
