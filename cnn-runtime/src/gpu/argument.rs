//! What kernels are given.

use candle_core::{CpuStorage, CudaStorage, Layout, Result, Storage, Tensor};

/// An argument of a kernel, each beside the type of the parameter.
pub(crate) enum Argument<'a> {
    /// `Read<…>`, of a tensor laid out row by row.
    Tensor(&'a Tensor),
    /// `Read<…>`, of all of it or of what the layout says.
    Read(Memory<'a>, Option<&'a Layout>),
    /// `Write<…>`, of all of it or of what the layout says.
    Write(MemoryMut<'a>, Option<&'a Layout>),
    /// `Read<…>` of nothing, which is false.
    Nothing,
    /// `Real`
    Number(f64),
    /// `Index`
    Index(i64),
    /// `int`
    Integer(i32),
    /// A struct.
    Plain(&'a [u8]),
}

/// Where values are.
#[derive(Clone, Copy)]
pub(crate) enum Memory<'a> {
    Cpu(&'a CpuStorage),
    Cuda(&'a CudaStorage),
    /// Where no kernel reaches.
    Other,
}

/// Where values are written to.
pub(crate) enum MemoryMut<'a> {
    Cpu(&'a mut CpuStorage),
    Cuda(&'a mut CudaStorage),
    /// Where no kernel reaches.
    Other,
}

impl<'a> From<&'a Storage> for Memory<'a> {
    fn from(storage: &'a Storage) -> Self {
        match storage {
            Storage::Cpu(storage) => Memory::Cpu(storage),
            Storage::Cuda(storage) => Memory::Cuda(storage),
            Storage::Metal(_) => Memory::Other,
        }
    }
}

impl<'a> From<&'a mut Storage> for MemoryMut<'a> {
    fn from(storage: &'a mut Storage) -> Self {
        match storage {
            Storage::Cpu(storage) => MemoryMut::Cpu(storage),
            Storage::Cuda(storage) => MemoryMut::Cuda(storage),
            Storage::Metal(_) => MemoryMut::Other,
        }
    }
}

/// Where the values of a layout begin and end, if they lie row by row.
pub(super) fn extent(layout: Option<&Layout>) -> Result<Option<(usize, usize)>> {
    match layout.map(Layout::contiguous_offsets) {
        Some(None) => candle_core::bail!("kernels take tensors laid out row by row"),
        Some(extent) => Ok(extent),
        None => Ok(None),
    }
}

/// A struct that a kernel takes as a whole: the same fields in the same order there.
///
/// # Safety
/// It is `repr(C)`, has no padding, and any bytes are one.
pub(crate) unsafe trait Geometry: Copy {
    /// It as an argument.
    fn argument(&self) -> Argument<'_> {
        // SAFETY: there is no padding, so that each byte has a value, and they are borrowed as long as it is.
        Argument::Plain(unsafe { std::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) })
    }
}

impl<'a> From<&'a Tensor> for Argument<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Argument::Tensor(tensor)
    }
}

/// Nothing, if it is `None`.
impl<'a> From<Option<&'a Tensor>> for Argument<'a> {
    fn from(tensor: Option<&'a Tensor>) -> Self {
        tensor.map_or(Argument::Nothing, Argument::Tensor)
    }
}

impl<'a> From<&'a Storage> for Argument<'a> {
    fn from(storage: &'a Storage) -> Self {
        Argument::Read(storage.into(), None)
    }
}

impl<'a> From<&'a mut Storage> for Argument<'a> {
    fn from(storage: &'a mut Storage) -> Self {
        Argument::Write(storage.into(), None)
    }
}

/// What candle gives an operation that works in place, to read and to write.
macro_rules! in_place {
    ($storage:ty, $place:ident) => {
        impl<'a> From<(&'a $storage, &'a Layout)> for Argument<'a> {
            fn from((storage, layout): (&'a $storage, &'a Layout)) -> Self {
                Argument::Read(Memory::$place(storage), Some(layout))
            }
        }

        impl<'a> From<(&'a mut $storage, &'a Layout)> for Argument<'a> {
            fn from((storage, layout): (&'a mut $storage, &'a Layout)) -> Self {
                Argument::Write(MemoryMut::$place(storage), Some(layout))
            }
        }
    };
}
in_place!(CpuStorage, Cpu);
in_place!(CudaStorage, Cuda);

impl From<f64> for Argument<'_> {
    fn from(number: f64) -> Self {
        Argument::Number(number)
    }
}

/// A size, which is far from the largest `Index`.
impl From<usize> for Argument<'_> {
    fn from(size: usize) -> Self {
        Argument::Index(size as i64)
    }
}

impl From<i32> for Argument<'_> {
    fn from(integer: i32) -> Self {
        Argument::Integer(integer)
    }
}

impl<'a, G: Geometry> From<&'a G> for Argument<'a> {
    fn from(geometry: &'a G) -> Self {
        geometry.argument()
    }
}

/// The arguments of a kernel: `arguments![&mut ys, xs, 12]`.
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => {
        &mut [$($crate::gpu::Argument::from($argument)),*]
    };
}
pub(crate) use arguments;
