//! Products of `f32` matrices on a processor's tile registers (Intel's AMX), several times faster than on its vectors.
//!
//! Tiles multiply `bf16`, numbers of 8 significant bits. Every `f32` has 24, and so is the sum of three of them: its high,
//! middle and low *piece*, which lie in three *planes*. Of the nine products of two numbers' pieces, the six that reach into
//! the 24 bits of the result are summed in `f32`; what is left out is below its rounding.
//!
//! A tile has 16 rows of 64 bytes. One of the left matrix holds 16 rows of 32 numbers; one of the right matrix 16 *pairs*
//! of rows, the two numbers of a column side by side, of 16 columns.

use std::cell::Cell;
use std::marker::PhantomData;

/// Rows of a tile, and columns of a tile of `f32` or of pairs.
pub(super) const SIDE: usize = 16;

/// Numbers in a row of a left tile, over which products are summed.
pub(super) const DEPTH: usize = 32;

/// Tiles that one product computes at once.
pub(super) const TILES: usize = 4;

/// Numbers in one tile of the left or the right matrix.
pub(super) const TILE: usize = SIDE * DEPTH;

/// Pieces of a number that is not rounded.
#[cfg(test)]
const PLANES: usize = 3;

/// Four tiles of a product, one after the other, row by row.
#[repr(align(64))]
pub(super) struct Block(pub(super) [f32; TILES * SIDE * SIDE]);

impl Default for Block {
    fn default() -> Self {
        Self([0.0; TILES * SIDE * SIDE])
    }
}

/// Whether this processor has tiles, and the system lets this process use them.
pub(crate) fn available() -> bool {
    imp::available()
}

/// The tile registers of this thread, set up for as long as this lives.
pub(super) struct Tiles(PhantomData<*const ()>);

thread_local! {
    static SET_UP: Cell<bool> = const { Cell::new(false) };
}

impl Tiles {
    /// Sets the tile registers up, if there are any.
    ///
    /// # Panics
    /// If this thread has them set up already.
    pub(super) fn new() -> Option<Self> {
        available().then(|| {
            assert!(!SET_UP.replace(true), "one use of the tile registers at a time");
            imp::set_up();
            Self(PhantomData)
        })
    }

    /// `out = a·b` of some tiles of rows of `a`, which begin at `starts`, and 16 columns of `b`, whose tiles lie depth by depth, one
    /// for each plane. Rows are `pitch` numbers apart in `planes` planes `plane` apart. Each step is where what a row has begins,
    /// from its start, and the depth of `b` that it is multiplied with.
    ///
    /// # Panics
    /// If a slice is too short, or there are more than four tiles of rows.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn rows(
        &self,
        planes: usize,
        a: &[u16],
        starts: &[usize],
        pitch: usize,
        plane: usize,
        steps: &[[usize; 2]],
        b: &[u16],
        out: &mut Block,
    ) {
        let furthest = steps.iter().map(|[step, _]| step + DEPTH).max().unwrap_or(0) + starts.iter().max().copied().unwrap_or(0);
        let depths = steps.iter().map(|[_, depth]| depth + 1).max().unwrap_or(0);
        assert!((planes - 1) * plane + (SIDE - 1) * pitch + furthest <= a.len(), "rows of the left matrix");
        assert!(depths * planes * TILE <= b.len(), "tiles of the right matrix");
        // SAFETY: the registers are set up as `self` exists; `a` was checked to reach as far as the last row's furthest step,
        // and `b` to have the tiles for each.
        unsafe { imp::rows(planes, a, starts, pitch, plane, steps, b, out) }
    }

    /// `out = a·b` of 16 rows of `a`, whose tiles lie depth by depth, one for each of `planes`, and some tiles of columns of `b`, which
    /// begin at `starts`. The pairs of rows of a tile are `pitch` pairs apart in planes `plane` apart, and those of each depth
    /// begin at a step from the start.
    ///
    /// # Panics
    /// If a slice is too short, or there are more than four tiles of columns.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn columns(
        &self,
        planes: usize,
        a: &[u16],
        b: &[u32],
        starts: &[usize],
        pitch: usize,
        plane: usize,
        steps: &[usize],
        out: &mut Block,
    ) {
        assert!(steps.len() * planes * TILE <= a.len(), "tiles of the left matrix");
        expect_columns(planes, b, starts, pitch, plane, steps);
        // SAFETY: the registers are set up as `self` exists; `b` was checked to reach as far as the last pair's last column of
        // the furthest step, and `a` to have the tiles for each.
        unsafe { imp::columns(planes, a, b, starts, pitch, plane, steps, out) }
    }

    /// `out = a·b` of 32 rows of `a`, in two strips of tiles as [`Self::columns`] takes, and two tiles of columns of `b`: the
    /// first two tiles are of the first strip.
    ///
    /// # Panics
    /// If a slice is too short.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn square(
        &self,
        planes: usize,
        a: [&[u16]; 2],
        b: &[u32],
        starts: [usize; 2],
        pitch: usize,
        plane: usize,
        steps: &[usize],
        out: &mut Block,
    ) {
        assert!(a.iter().all(|strip| steps.len() * planes * TILE <= strip.len()), "tiles of the left matrix");
        expect_columns(planes, b, &starts, pitch, plane, steps);
        // SAFETY: the registers are set up as `self` exists; `b` was checked to reach as far as the last pair's last column of
        // the furthest step, and both strips to have the tiles for each.
        unsafe { imp::square(planes, a, b, starts, pitch, plane, steps, out) }
    }
}

/// That `b` reaches as far as the last pair of each tile of columns.
fn expect_columns(planes: usize, b: &[u32], starts: &[usize], pitch: usize, plane: usize, steps: &[usize]) {
    let furthest = steps.iter().max().map_or(0, |step| step + SIDE) + starts.iter().max().copied().unwrap_or(0);
    assert!(furthest + (planes - 1) * plane + (SIDE - 1) * pitch <= b.len(), "columns of the right matrix");
}

impl Drop for Tiles {
    fn drop(&mut self) {
        imp::give_back();
        SET_UP.set(false);
    }
}

/// What needs the processor, for those that have tiles.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod imp {
    use super::{Block, DEPTH, SIDE, TILES};
    use crate::kernels::isa::{self, Isa};
    #[cfg(debug_assertions)]
    use crate::kernels::tile_emulation as emulation;
    use std::arch::asm;
    use std::arch::x86_64::*;
    use std::sync::OnceLock;

    /// Asks the system, once, for the registers of tiles, which a process has to before it uses them.
    pub(super) fn available() -> bool {
        #[cfg(debug_assertions)]
        if emulation::is_on() {
            return true;
        }
        const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
        const XFEATURE_XTILEDATA: libc::c_long = 18;
        const AMX_BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            let has = isa::allowed() >= Isa::Amx
                && is_x86_feature_detected!("avx512bf16")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && __cpuid(0).eax >= 7
                && __cpuid_count(7, 0).edx & AMX_BF16_AND_TILE == AMX_BF16_AND_TILE;
            // SAFETY: this call reads two numbers, and gives this process leave to use registers or refuses to.
            has && unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) } == 0
        })
    }

    #[repr(align(64))]
    struct Configuration(#[allow(dead_code, reason = "the processor reads it")] [u8; 64]);

    /// Eight tiles of 16 rows of 64 bytes.
    const CONFIGURATION: Configuration = {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            (bytes[16 + 2 * tile], bytes[48 + tile]) = (64, SIDE as u8);
            tile += 1;
        }
        Configuration(bytes)
    };

    /// Sets up the registers of this thread.
    pub(super) fn set_up() {
        #[cfg(debug_assertions)]
        if emulation::is_on() {
            return;
        }
        // SAFETY: reads the 64 bytes of a valid configuration; called only where the registers are available.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &CONFIGURATION, options(nostack, readonly)) }
    }

    /// Frees the registers of this thread, which the system then need not save.
    pub(super) fn give_back() {
        #[cfg(debug_assertions)]
        if emulation::is_on() {
            return;
        }
        // SAFETY: touches no memory; called only where the registers are available.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }

    /// An `asm!` that computes four tiles, which start at zero and end by being stored, with `$body` once for each depth.
    macro_rules! four_tiles {
        ($($body:expr),* ; $out:expr, $depths:expr, $($operands:tt)*) => {
            asm!(
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                "test {depths}, {depths}", "jz 3f",
                "2:", $($body,)* "dec {depths}", "jnz 2b",
                "3:",
                "tilestored [{out} + {line}*1], tmm0", "tilestored [{out} + {line}*1 + 1024], tmm1",
                "tilestored [{out} + {line}*1 + 2048], tmm2", "tilestored [{out} + {line}*1 + 3072], tmm3",
                out = in(reg) $out, depths = inout(reg) $depths => _, line = in(reg) 64usize, $($operands)*
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            )
        };
    }

    /// Adds the products of the pieces of 16 rows that begin at `$start` to tile `$sum`.
    macro_rules! rows_step {
        ($sum:literal, $start:ident) => {
            concat!(
                "lea {at}, [{",
                stringify!($start),
                "} + 2*{step}]\n",
                "tileloadd tmm4, [{at} + {pitch}*1]\n add {at}, {plane}\n",
                "tdpbf16ps ",
                $sum,
                ", tmm4, tmm7\n tdpbf16ps ",
                $sum,
                ", tmm4, tmm6\n tdpbf16ps ",
                $sum,
                ", tmm4, tmm5\n",
                "tileloadd tmm4, [{at} + {pitch}*1]\n add {at}, {plane}\n",
                "tdpbf16ps ",
                $sum,
                ", tmm4, tmm6\n tdpbf16ps ",
                $sum,
                ", tmm4, tmm5\n",
                "tileloadd tmm4, [{at} + {pitch}*1]\n",
                "tdpbf16ps ",
                $sum,
                ", tmm4, tmm5",
            )
        };
    }

    /// See [`super::Tiles::rows`].
    ///
    /// # Safety
    /// The registers must be set up, and the slices as long as the product reads.
    #[allow(clippy::too_many_arguments)]
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
        #[cfg(debug_assertions)]
        if emulation::is_on() {
            // SAFETY: the caller's.
            return unsafe { emulation::rows(planes, a, starts, pitch, plane, steps, b, out) };
        }
        let (pitch, plane) = (2 * pitch, 2 * plane);
        macro_rules! rounded_rows {
            ($($sum:literal, $start:ident);*) => {
                four_tiles!(
                    "mov {step}, [{steps}]", "mov {at}, [{steps} + 8]", "add {steps}, 16", "shl {at}, 10", "add {at}, {b}",
                    "tileloadd tmm7, [{at} + {line}*1]",
                    $(concat!(
                        "lea {at}, [{", stringify!($start), "} + 2*{step}]\n tileloadd tmm4, [{at} + {pitch}*1]\n tdpbf16ps ",
                        $sum, ", tmm4, tmm7"
                    )),*;
                    out.0.as_mut_ptr(), steps.len(),
                    b = in(reg) b.as_ptr(), steps = inout(reg) steps.as_ptr() => _, step = out(reg) _,
                    $($start = in(reg) $start,)*
                    at = out(reg) _, pitch = in(reg) pitch,
                )
            };
        }
        macro_rules! rows {
            ($($sum:literal, $start:ident);*) => {
                four_tiles!(
                    "mov {step}, [{steps}]", "mov {at}, [{steps} + 8]", "add {steps}, 16",
                    "lea {at}, [{at} + 2*{at}]", "shl {at}, 10", "add {at}, {b}",
                    "tileloadd tmm5, [{at} + {line}*1]", "tileloadd tmm6, [{at} + {line}*1 + 1024]",
                    "tileloadd tmm7, [{at} + {line}*1 + 2048]",
                    $(rows_step!($sum, $start)),*;
                    out.0.as_mut_ptr(), steps.len(),
                    b = in(reg) b.as_ptr(), steps = inout(reg) steps.as_ptr() => _, step = out(reg) _,
                    $($start = in(reg) $start,)*
                    at = out(reg) _, pitch = in(reg) pitch, plane = in(reg) plane,
                )
            };
        }
        // SAFETY: every step reads a tile of 1 KiB of `b` for each plane and, in each plane, 64 bytes of each of the rows of `a` from
        // each start, which the caller says are there; what is written is `out`.
        unsafe {
            // Surplus starts repeat the last one; nothing is loaded from them.
            let [a0, a1, a2, a3] = std::array::from_fn(|tile| a.as_ptr().add(starts[tile.min(starts.len() - 1)]));
            match (planes, starts.len()) {
                (1, 1) => rounded_rows!("tmm0", a0),
                (1, 2) => rounded_rows!("tmm0", a0; "tmm1", a1),
                (1, 3) => rounded_rows!("tmm0", a0; "tmm1", a1; "tmm2", a2),
                (1, 4) => rounded_rows!("tmm0", a0; "tmm1", a1; "tmm2", a2; "tmm3", a3),
                (3, 1) => rows!("tmm0", a0),
                (3, 2) => rows!("tmm0", a0; "tmm1", a1),
                (3, 3) => rows!("tmm0", a0; "tmm1", a1; "tmm2", a2),
                (3, 4) => rows!("tmm0", a0; "tmm1", a1; "tmm2", a2; "tmm3", a3),
                _ => unreachable!("there are four tiles to sum in"),
            }
        }
    }

    /// Adds the products of the pieces of 16 columns that begin at `$start` to tile `$sum`.
    macro_rules! columns_step {
        ($sum:literal, $start:ident) => {
            concat!(
                "lea {at}, [{",
                stringify!($start),
                "} + 4*{step}]\n",
                "tileloadd tmm4, [{at} + {pitch}*1]\n add {at}, {plane}\n",
                "tdpbf16ps ",
                $sum,
                ", tmm7, tmm4\n tdpbf16ps ",
                $sum,
                ", tmm6, tmm4\n tdpbf16ps ",
                $sum,
                ", tmm5, tmm4\n",
                "tileloadd tmm4, [{at} + {pitch}*1]\n add {at}, {plane}\n",
                "tdpbf16ps ",
                $sum,
                ", tmm6, tmm4\n tdpbf16ps ",
                $sum,
                ", tmm5, tmm4\n",
                "tileloadd tmm4, [{at} + {pitch}*1]\n",
                "tdpbf16ps ",
                $sum,
                ", tmm5, tmm4",
            )
        };
    }

    /// See [`super::Tiles::columns`].
    ///
    /// # Safety
    /// The registers must be set up, and the slices as long as the product reads.
    #[allow(clippy::too_many_arguments)]
    pub(super) unsafe fn columns(
        planes: usize,
        a: &[u16],
        b: &[u32],
        starts: &[usize],
        pitch: usize,
        plane: usize,
        steps: &[usize],
        out: &mut Block,
    ) {
        #[cfg(debug_assertions)]
        if emulation::is_on() {
            // SAFETY: the caller's.
            return unsafe { emulation::columns(planes, a, b, starts, pitch, plane, steps, &mut out.0) };
        }
        let (pitch, plane) = (4 * pitch, 4 * plane);
        macro_rules! columns {
            ($($sum:literal, $start:ident);*) => {
                four_tiles!(
                    "tileloadd tmm5, [{a} + {line}*1]", "tileloadd tmm6, [{a} + {line}*1 + 1024]",
                    "tileloadd tmm7, [{a} + {line}*1 + 2048]", "add {a}, 3072", "mov {step}, [{steps}]", "add {steps}, 8",
                    $(columns_step!($sum, $start)),*;
                    out.0.as_mut_ptr(), steps.len(),
                    a = inout(reg) a.as_ptr() => _, steps = inout(reg) steps.as_ptr() => _, step = out(reg) _,
                    $($start = in(reg) $start,)*
                    at = out(reg) _, pitch = in(reg) pitch, plane = in(reg) plane,
                )
            };
        }
        macro_rules! rounded_columns {
            ($($sum:literal, $start:ident);*) => {
                four_tiles!(
                    "tileloadd tmm7, [{a} + {line}*1]", "add {a}, 1024", "mov {step}, [{steps}]", "add {steps}, 8",
                    $(concat!(
                        "lea {at}, [{", stringify!($start), "} + 4*{step}]\n tileloadd tmm4, [{at} + {pitch}*1]\n tdpbf16ps ",
                        $sum, ", tmm7, tmm4"
                    )),*;
                    out.0.as_mut_ptr(), steps.len(),
                    a = inout(reg) a.as_ptr() => _, steps = inout(reg) steps.as_ptr() => _, step = out(reg) _,
                    $($start = in(reg) $start,)*
                    at = out(reg) _, pitch = in(reg) pitch,
                )
            };
        }
        // SAFETY: every depth reads a tile of 1 KiB of `a` for each plane and, in each plane, 16 columns of 16 pairs of rows of
        // `b` from each start, which the caller says are there; what is written is `out`.
        unsafe {
            // Surplus starts repeat the last one; nothing is loaded from them.
            let [b0, b1, b2, b3] = std::array::from_fn(|tile| b.as_ptr().add(starts[tile.min(starts.len() - 1)]));
            match (planes, starts.len()) {
                (1, 1) => rounded_columns!("tmm0", b0),
                (1, 2) => rounded_columns!("tmm0", b0; "tmm1", b1),
                (1, 3) => rounded_columns!("tmm0", b0; "tmm1", b1; "tmm2", b2),
                (1, 4) => rounded_columns!("tmm0", b0; "tmm1", b1; "tmm2", b2; "tmm3", b3),
                (3, 1) => columns!("tmm0", b0),
                (3, 2) => columns!("tmm0", b0; "tmm1", b1),
                (3, 3) => columns!("tmm0", b0; "tmm1", b1; "tmm2", b2),
                (3, 4) => columns!("tmm0", b0; "tmm1", b1; "tmm2", b2; "tmm3", b3),
                _ => unreachable!("there are four tiles to sum in"),
            }
        }
    }

    /// Adds the products of the pieces at hand, and loads the next piece of both strips of the left matrix.
    macro_rules! square_left {
        ($piece:literal) => {
            concat!(
                "tdpbf16ps tmm0, tmm4, tmm6\n tdpbf16ps tmm1, tmm4, tmm7\n",
                "tileloadd tmm4, [{a} + {line}*1 + ",
                $piece,
                "]\n",
                "tdpbf16ps tmm2, tmm5, tmm6\n tdpbf16ps tmm3, tmm5, tmm7\n",
                "tileloadd tmm5, [{second} + {line}*1 + ",
                $piece,
                "]",
            )
        };
    }

    /// Adds the products of the pieces at hand, and loads the pieces `$plane` of both column tiles of the right matrix.
    macro_rules! square_right {
        ($plane:literal) => {
            concat!(
                "tdpbf16ps tmm0, tmm4, tmm6\n tdpbf16ps tmm2, tmm5, tmm6\n",
                "lea {at}, [{depth} + ",
                $plane,
                "]\n tileloadd tmm6, [{at} + {pitch}*1]\n",
                "tdpbf16ps tmm1, tmm4, tmm7\n tdpbf16ps tmm3, tmm5, tmm7\n",
                "add {at}, {apart}\n tileloadd tmm7, [{at} + {pitch}*1]",
            )
        };
    }

    /// See [`super::Tiles::square`]. From one product of pieces to the next, only those of one side change.
    ///
    /// # Safety
    /// The registers must be set up, and the slices as long as the product reads.
    #[allow(clippy::too_many_arguments)]
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
        #[cfg(debug_assertions)]
        if emulation::is_on() {
            // SAFETY: the caller's.
            return unsafe { emulation::square(planes, a, b, starts, pitch, plane, steps, out) };
        }
        let (pitch, plane) = (4 * pitch, 4 * plane);
        let apart = 4 * (starts[1] as isize - starts[0] as isize);
        // SAFETY: every depth reads a tile of 1 KiB for each plane of each strip of `a` and, in each plane, 16 columns of 16 pairs of rows
        // of `b` from each start, which the caller says are there; what is written is `out`.
        unsafe {
            let b = b.as_ptr().add(starts[0]);
            if planes == 1 {
                four_tiles!(
                    "mov {depth}, [{steps}]", "add {steps}, 8", "lea {depth}, [{b} + 4*{depth}]",
                    "tileloadd tmm4, [{a} + {line}*1]", "tileloadd tmm5, [{second} + {line}*1]",
                    "tileloadd tmm6, [{depth} + {pitch}*1]", "add {depth}, {apart}", "tileloadd tmm7, [{depth} + {pitch}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7", "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7", "add {a}, 1024", "add {second}, 1024";
                    out.0.as_mut_ptr(), steps.len(),
                    a = inout(reg) a[0].as_ptr() => _, second = inout(reg) a[1].as_ptr() => _, b = in(reg) b,
                    steps = inout(reg) steps.as_ptr() => _, depth = out(reg) _, apart = in(reg) apart, pitch = in(reg) pitch,
                );
                return;
            }
            four_tiles!(
                "mov {depth}, [{steps}]", "add {steps}, 8", "lea {depth}, [{b} + 4*{depth}]",
                "tileloadd tmm4, [{a} + {line}*1 + 2048]", "tileloadd tmm5, [{second} + {line}*1 + 2048]",
                "tileloadd tmm6, [{depth} + {pitch}*1]", "lea {at}, [{depth} + {apart}]", "tileloadd tmm7, [{at} + {pitch}*1]",
                square_left!("0"), square_right!("2*{plane}"), square_right!("{plane}"), square_left!("1024"), square_right!("0"),
                "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7", "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7", "add {a}, 3072", "add {second}, 3072";
                out.0.as_mut_ptr(), steps.len(),
                a = inout(reg) a[0].as_ptr() => _, second = inout(reg) a[1].as_ptr() => _, b = in(reg) b,
                steps = inout(reg) steps.as_ptr() => _, depth = out(reg) _, apart = in(reg) apart,
                at = out(reg) _, pitch = in(reg) pitch, plane = in(reg) plane,
            );
        }
    }

    const _: () = assert!(DEPTH * 2 == 64 && TILES == 4 && SIDE * 64 == 1024);
}

/// What stands for it on processors without tiles.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod imp {
    use super::Block;

    pub(super) fn available() -> bool {
        false
    }

    pub(super) fn set_up() {}

    pub(super) fn give_back() {}

    #[allow(clippy::too_many_arguments)]
    pub(super) unsafe fn rows(_: usize, _: &[u16], _: &[usize], _: usize, _: usize, _: &[[usize; 2]], _: &[u16], _: &mut Block) {
        unreachable!("there are no tiles")
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) unsafe fn square(
        _: usize,
        _: [&[u16]; 2],
        _: &[u32],
        _: [usize; 2],
        _: usize,
        _: usize,
        _: &[usize],
        _: &mut Block,
    ) {
        unreachable!("there are no tiles")
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) unsafe fn columns(_: usize, _: &[u16], _: &[u32], _: &[usize], _: usize, _: usize, _: &[usize], _: &mut Block) {
        unreachable!("there are no tiles")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "rows of the left matrix")]
    fn refuses_rows_that_are_not_there() {
        let Some(tiles) = Tiles::new() else { panic!("rows of the left matrix, had there been tiles") };
        let starts = [0, 1, 2, 3].map(|tile| tile * SIDE * DEPTH);
        tiles.rows(3, &[0; 64 * DEPTH], &starts, DEPTH, 64 * DEPTH, &[[0, 0]], &[0; PLANES * TILE], &mut Block::default());
    }

    #[test]
    #[should_panic(expected = "tiles of the right matrix")]
    fn refuses_a_depth_that_is_not_there() {
        let Some(tiles) = Tiles::new() else { panic!("tiles of the right matrix, had there been any") };
        tiles.rows(1, &[0; TILE], &[0], DEPTH, TILE, &[[0, 1]], &[0; TILE], &mut Block::default());
    }

    #[test]
    fn steps_take_depths_in_any_order() {
        let Some(tiles) = Tiles::new() else { return };
        /// 1 as a `bf16`.
        const ONE: u16 = 0x3f80;
        for planes in [1, PLANES] {
            // Row 0 is 1 at each first number of 32, times columns that are 1, 2 and 4 there.
            let (mut a, mut b) = (vec![0; planes * 4 * TILE], vec![0; 3 * planes * TILE]);
            (0..3).for_each(|step| a[step * DEPTH] = ONE);
            (0..3).for_each(|depth| b[depth * planes * TILE] = ONE + 0x80 * depth as u16);
            let first = |steps: &[[usize; 2]]| {
                let mut block = Block::default();
                tiles.rows(planes, &a, &[0], 3 * DEPTH, 4 * TILE, steps, &b, &mut block);
                block.0[0]
            };
            assert_eq!(
                [first(&[[0, 2]]), first(&[[DEPTH, 1], [0, 0]]), first(&[[0, 2], [2 * DEPTH, 2], [0, 1]])],
                [4.0, 3.0, 10.0]
            );
        }
    }

    #[test]
    #[should_panic(expected = "columns of the right matrix")]
    fn refuses_columns_that_are_not_there() {
        let Some(tiles) = Tiles::new() else { panic!("columns of the right matrix, had there been tiles") };
        tiles.columns(3, &[0; PLANES * TILE], &[0; 16 * 64], &[0, 16], 64, 16 * 64, &[0], &mut Block::default());
    }

    #[test]
    fn no_depth_is_a_product_of_zeros() {
        let Some(tiles) = Tiles::new() else { return };
        let mut block = Block([1.0; TILES * SIDE * SIDE]);
        tiles.rows(3, &[0; 63], &[0; 4], 1, 0, &[], &[], &mut block);
        assert_eq!(block.0, [0.0; TILES * SIDE * SIDE]);
    }
}
