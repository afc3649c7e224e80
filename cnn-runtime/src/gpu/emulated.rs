//! The processor in place of a GPU: the kernels of `cuda/`, compiled for it, on candle's CPU tensors.

use super::argument::{Memory, MemoryMut, extent};
use super::{Argument, Kernel, Onto, Place};
use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, WithDType};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::OnceLock;

mod kernels {
    use super::{Arguments, Launch, Text};

    include!(concat!(env!("OUT_DIR"), "/emulated.rs"));
}

type Text = *const c_char;
type Arguments = *mut *mut c_void;
/// A family's function in `cuda/emulated.h`.
type Launch = unsafe extern "C" fn(name: Text, types: Text, arguments: Arguments, blocks: u32, threads: u32) -> Text;

/// The blocks of a launch, and the threads in each, at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Launches {
    blocks: u32,
    threads: u32,
}

#[cfg(test)]
impl Launches {
    pub(super) fn new(blocks: u32, threads: u32) -> Self {
        Self { blocks, threads }
    }
}

/// What the environment variable `CNN_EMULATE_CUDA` asks for, as it was when this was first asked; `None` if it is not set.
///
/// # Panics
/// If it is neither `1` nor a number of blocks and of threads, such as `2x3`.
pub(super) fn launches() -> Option<Launches> {
    static LAUNCHES: OnceLock<Option<Launches>> = OnceLock::new();
    *LAUNCHES.get_or_init(|| {
        let text = std::env::var("CNN_EMULATE_CUDA").ok()?;
        let found = parse(&text);
        assert!(found.is_some(), "`CNN_EMULATE_CUDA` is `1`, or blocks and threads such as `2x3`, found `{text}`");
        found
    })
}

fn parse(text: &str) -> Option<Launches> {
    let (blocks, threads) = text.split_once('x').unwrap_or(("1", "1"));
    let launches = Launches { blocks: blocks.parse().ok()?, threads: threads.parse().ok()? };
    let is_right = (text == "1" || text.contains('x')) && launches.blocks > 0 && (1..=256).contains(&launches.threads);
    is_right.then_some(launches)
}

pub(super) fn empty(dtype: DType, len: usize) -> Result<Storage> {
    Ok(Storage::Cpu(match dtype {
        DType::U8 => CpuStorage::U8(vec![u8::MAX; len]),
        DType::U32 => CpuStorage::U32(vec![u32::MAX; len]),
        DType::F32 => CpuStorage::F32(vec![f32::NAN; len]),
        DType::F64 => CpuStorage::F64(vec![f64::NAN; len]),
        other => candle_core::bail!("kernels do not write tensors of {}", other.as_str()),
    }))
}

/// Writes the products of `a` and `b`, which candle computes, to their place.
pub(super) fn products(a: &Tensor, b: &Tensor, out: &mut Storage, place: Place) -> Result<()> {
    fn write<T: WithDType>(products: &Tensor, out: &mut [T], place: Place, add: impl Fn(T, T) -> T) -> Result<()> {
        let (count, m, n) = products.dims3()?;
        if place.end((count, m, n)) > out.len() || n > place.row.max(n * usize::from(m == 1)) {
            candle_core::bail!("{count} products of {m}×{n} in {} values, by {place:?}", out.len());
        }
        let values = products.flatten_all()?.to_vec1::<T>()?;
        for (number, row) in values.chunks_exact(n).enumerate() {
            let first = place.first + number / m * place.matrix + number % m * place.row;
            for (out, value) in out[first..first + n].iter_mut().zip(row) {
                *out = if place.onto == Onto::Sums { add(*out, *value) } else { *value };
            }
        }
        Ok(())
    }
    let products = a.contiguous()?.matmul(&b.contiguous()?)?;
    match out {
        Storage::Cpu(CpuStorage::F32(out)) => write(&products, out, place, |a, b| a + b),
        Storage::Cpu(CpuStorage::F64(out)) => write(&products, out, place, |a, b| a + b),
        _ => candle_core::bail!("products are of f32 or f64, on one device"),
    }
}

/// As in `cuda/emulated.h`.
#[repr(C)]
struct Array {
    data: *mut c_void,
    length: i64,
    first: i64,
}

impl Array {
    const NOTHING: Self = Self { data: std::ptr::null_mut(), length: 0, first: 0 };

    /// An array to read, and the type of its values.
    fn read(memory: Memory, layout: Option<&Layout>) -> Result<(Self, &'static str)> {
        fn of<T>(values: &[T], extent: Option<(usize, usize)>) -> Array {
            let values = extent.map_or(values, |(first, end)| &values[first..end]);
            Array { data: values.as_ptr().cast_mut().cast(), length: values.len() as i64, first: 0 }
        }
        let extent = extent(layout)?;
        match memory {
            Memory::Cpu(CpuStorage::U8(values)) => Ok((of(values, extent), "u8")),
            Memory::Cpu(CpuStorage::U32(values)) => Ok((of(values, extent), "u32")),
            Memory::Cpu(CpuStorage::F32(values)) => Ok((of(values, extent), "f32")),
            Memory::Cpu(CpuStorage::F64(values)) => Ok((of(values, extent), "f64")),
            _ => candle_core::bail!("kernels do not read tensors of this type or device"),
        }
    }

    /// As [`read`](Self::read), to write to.
    fn write(memory: &mut MemoryMut, layout: Option<&Layout>) -> Result<(Self, &'static str)> {
        fn of<T>(values: &mut [T], extent: Option<(usize, usize)>) -> Array {
            let (first, end) = extent.unwrap_or((0, values.len()));
            let values = &mut values[first..end];
            Array { data: values.as_mut_ptr().cast(), length: values.len() as i64, first: 0 }
        }
        let extent = extent(layout)?;
        match memory {
            MemoryMut::Cpu(CpuStorage::U8(values)) => Ok((of(values, extent), "u8")),
            MemoryMut::Cpu(CpuStorage::U32(values)) => Ok((of(values, extent), "u32")),
            MemoryMut::Cpu(CpuStorage::F32(values)) => Ok((of(values, extent), "f32")),
            MemoryMut::Cpu(CpuStorage::F64(values)) => Ok((of(values, extent), "f64")),
            _ => candle_core::bail!("kernels do not write tensors of this type or device"),
        }
    }
}

/// An argument where its address can be taken.
enum Value<'a> {
    Array(Array),
    Single(f32),
    Double(f64),
    Index(i64),
    Integer(i32),
    Plain(&'a [u8]),
}

impl Value<'_> {
    fn address(&mut self) -> *mut c_void {
        match self {
            Value::Array(array) => (&raw mut *array).cast(),
            Value::Single(number) => (&raw mut *number).cast(),
            Value::Double(number) => (&raw mut *number).cast(),
            Value::Index(index) => (&raw mut *index).cast(),
            Value::Integer(integer) => (&raw mut *integer).cast(),
            Value::Plain(bytes) => bytes.as_ptr().cast_mut().cast(),
        }
    }
}

/// # Safety
/// That of [`Gpu::launch`](super::Gpu::launch), but what is checked: types and the bounds of arrays.
pub(super) unsafe fn launch(launches: Launches, kernel: &Kernel, grid: (u32, u32), arguments: &mut [Argument]) -> Result<()> {
    let real = kernel.dtype.as_str();
    let family = format!("{}_{real}", kernel.family);
    let Some((_, launch)) = kernels::FAMILIES.iter().find(|(name, _)| *name == family) else {
        candle_core::bail!("there are no CUDA kernels `{family}`");
    };
    let read = arguments.iter().map(|argument| match argument {
        Argument::Tensor(tensor) => Some(tensor.storage_and_layout()),
        _ => None,
    });
    let read: Vec<_> = read.collect();
    let (mut values, mut types) = (Vec::with_capacity(arguments.len()), Vec::with_capacity(arguments.len()));
    for (argument, read) in arguments.iter_mut().zip(&read) {
        let (value, name) = match argument {
            Argument::Tensor(_) => {
                let (storage, layout) = read.as_ref().expect("every tensor has been locked");
                let (array, of) = Array::read(Memory::from(&**storage), Some(layout))?;
                (Value::Array(array), format!("&[{of}]"))
            }
            Argument::Read(memory, layout) => {
                let (array, of) = Array::read(*memory, *layout)?;
                (Value::Array(array), format!("&[{of}]"))
            }
            Argument::Write(memory, layout) => {
                let (array, of) = Array::write(memory, *layout)?;
                (Value::Array(array), format!("&mut [{of}]"))
            }
            Argument::Nothing => (Value::Array(Array::NOTHING), format!("&[{real}]")),
            Argument::Number(number) if kernel.dtype == DType::F32 => (Value::Single(*number as f32), real.to_string()),
            Argument::Number(number) => (Value::Double(*number), real.to_string()),
            Argument::Index(index) => (Value::Index(*index), "i64".to_string()),
            Argument::Integer(integer) => (Value::Integer(*integer), "i32".to_string()),
            Argument::Plain(bytes) => (Value::Plain(bytes), format!("{} bytes", bytes.len())),
        };
        values.push(value);
        types.push(name);
    }
    let mut addresses: Vec<*mut c_void> = values.iter_mut().map(Value::address).collect();
    let text = |text: &str| CString::new(text).map_err(candle_core::Error::wrap);
    let (name, types) = (text(&kernel.name)?, text(&types.join(", "))?);
    let (blocks, threads) = (grid.0.min(launches.blocks), grid.1.min(launches.threads));
    // SAFETY: the family's function checks the types of the arguments, whose addresses these are, and every access to
    // their arrays, which are borrowed until it returns.
    let wrong = unsafe { launch(name.as_ptr(), types.as_ptr(), addresses.as_mut_ptr(), blocks, threads) };
    if wrong.is_null() {
        return Ok(());
    }
    // SAFETY: it is a text of this thread's that stays until its next launch.
    let wrong = unsafe { CStr::from_ptr(wrong) }.to_string_lossy().into_owned();
    candle_core::bail!("the CUDA kernel `{}` of `{family}` {wrong}", kernel.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Gpu, Work, arguments, tensor};

    const LAUNCHES: Launches = Launches { blocks: 2, threads: 3 };

    /// The values that `linear_values` gives for `len` of `xs`.
    fn copy(launches: Launches, name: &str, xs: &[f32], len: usize) -> Result<Vec<f32>> {
        let gpu = Gpu::Emulated(launches);
        let xs = candle_core::Tensor::new(xs, &candle_core::Device::Cpu)?;
        let mut ys = gpu.empty(DType::F32, xs.elem_count())?;
        let kernel = Kernel::new("activation", name, DType::F32);
        // SAFETY: where it is emulated, types and bounds are checked.
        unsafe { gpu.launch(&kernel, Work::Each(len), arguments![&mut ys, &xs, len, 0.0, 0.0, 0.0]) }?;
        tensor(ys, xs.dims()).to_vec1()
    }

    #[test]
    fn every_value_is_computed_however_blocks_and_threads_share_them() {
        let xs: Vec<f32> = (0..1000).map(|x| x as f32).collect();
        for (blocks, threads) in [(1, 1), (1, 7), (3, 1), (2, 5), (5, 256)] {
            assert_eq!(copy(Launches { blocks, threads }, "linear_values", &xs, 1000).unwrap(), xs);
        }
        assert!(copy(LAUNCHES, "linear_values", &xs, 999).unwrap()[999].is_nan(), "what is not written is seen");
    }

    #[test]
    fn mistakes_are_told() {
        let error = |name: &str, len: usize| {
            let error = copy(LAUNCHES, name, &[1.0, 2.0], len).unwrap_err().to_string();
            error.lines().next().expect("it says something").to_string()
        };
        assert_eq!(error("linear_values", 3), "the CUDA kernel `linear_values` of `activation_f32` reaches for value 2 of 2");
        assert_eq!(error("linear", 2), "the CUDA kernel `linear` of `activation_f32` does not exist");
        let types = "takes (&mut [f32], &[f32], i64, i64), found (&mut [f32], &[f32], i64, f32, f32, f32)";
        assert_eq!(error("linear_end", 2), format!("the CUDA kernel `linear_end` of `activation_f32` {types}"));
    }

    #[test]
    fn values_are_written_where_a_layout_has_them() {
        struct Rectify;
        impl candle_core::InplaceOp1 for Rectify {
            fn name(&self) -> &'static str {
                "rectify"
            }

            fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
                let count = layout.shape().elem_count();
                let kernel = Kernel::new("activation", "relu_end", DType::F64);
                let nothing = None::<&candle_core::Tensor>;
                let arguments = arguments![(storage, layout), nothing, count, 1usize];
                // SAFETY: where it is emulated, types and bounds are checked.
                unsafe { Gpu::emulated().launch(&kernel, Work::Each(count), arguments) }
            }
        }
        let xs = candle_core::Tensor::new(&[-1f64, -2., 3., -4.], &candle_core::Device::Cpu).unwrap();
        xs.narrow(0, 1, 2).unwrap().inplace_op1(&Rectify).unwrap();
        assert_eq!(xs.to_vec1::<f64>().unwrap(), [-1., 0., 3., -4.]);
    }

    #[test]
    fn launches_are_read_from_text() {
        assert_eq!(parse("1"), Some(Launches { blocks: 1, threads: 1 }));
        assert_eq!(parse("2x3"), Some(LAUNCHES));
        for wrong in ["", "0", "2", "yes", "0x1", "1x0", "1x257", "x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
