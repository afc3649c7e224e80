//! Convolutions by cuDNN, channels-last, on candle's stream of the device.
//!
//! Which of its algorithms computes a convolution is asked of its heuristics once, and kept with the descriptors. Those that
//! add in an order of chance are passed over.

use super::argument::{Memory, MemoryMut};
use super::cuda::{address, address_mut, empty};
use super::{Convolution, Pass};
use crate::Precision;
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::cudnn::{CudnnError, result, sys};
use candle_core::cuda_backend::cudarc::driver::CudaStream;
use candle_core::{CudaDevice, DType, Error, Layout, Result, Storage, Tensor};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use sys::cudnnMathType_t as Math;

/// Memory that an algorithm may take besides its tensors: a gigabyte.
const WORKSPACE: usize = 1 << 30;

/// What `pass` of `convolution` computes, of `f32`; `None` if cuDNN does not support it.
pub(super) fn convolve(
    device: &CudaDevice,
    convolution: &Convolution,
    pass: Pass,
    tensors: [&Tensor; 2],
) -> Result<Option<Storage>> {
    let library = Library::of(device)?;
    let Some(plan) = library.plan(convolution, pass)? else { return Ok(None) };
    let dtype = type_of(convolution.precision);
    let [first, second] = [given(tensors[0], dtype)?, given(tensors[1], dtype)?];
    let len = plan.output_len(convolution, pass);
    let mut out = empty(device, dtype, len)?;
    let is_done = plan.run(device, library.handle.0, [&first, &second], &mut out).map_err(told(convolution))?;
    match out {
        _ if !is_done => Ok(None),
        Storage::Cuda(out) if dtype != DType::F32 => {
            out.to_dtype(&Layout::contiguous(len), DType::F32).map(Storage::Cuda).map(Some)
        }
        out => Ok(Some(out)),
    }
}

/// The type of the tensors that cuDNN is given.
fn type_of(precision: Precision) -> DType {
    match precision {
        Precision::F32 | Precision::Tf32 => DType::F32,
        Precision::Bf16 => DType::BF16,
    }
}

/// A tensor as cuDNN is given it: of that type, and beginning where its kernels read several values at once.
fn given(tensor: &Tensor, dtype: DType) -> Result<Tensor> {
    const ALIGNMENT: usize = 16;
    let tensor = tensor.to_dtype(dtype)?;
    let is_aligned = tensor.layout().start_offset() * dtype.size_in_bytes() % ALIGNMENT == 0;
    if is_aligned { Ok(tensor) } else { tensor.force_contiguous() }
}

/// What cuDNN says went wrong, and with what.
fn told(convolution: &Convolution) -> impl Fn(Error) -> Error {
    let convolution = *convolution;
    move |error| Error::Msg(format!("cuDNN did not compute a convolution: {error} ({convolution:?})"))
}

/// Whether cuDNN says that it has no way to, rather than that something is wrong.
fn is_unsupported(error: CudnnError) -> bool {
    const UNSUPPORTED: std::ops::Range<u32> = 3000..4000;
    UNSUPPORTED.contains(&(error.0 as u32)) || error.0 == sys::cudnnStatus_t::CUDNN_STATUS_DEPRECATED
}

/// What cuDNN gave, or `None` if it has no way to.
fn if_supported<R>(result: std::result::Result<R, CudnnError>) -> Result<Option<R>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_unsupported(error) => Ok(None),
        Err(error) => Err(Error::wrap(error)),
    }
}

/// Declares an owner of a handle or descriptor of cuDNN's.
macro_rules! owned {
    ($(#[$doc:meta])* $name:ident, $raw:ty, $create:path, $destroy:path) => {
        $(#[$doc])*
        struct $name($raw);

        impl $name {
            fn new() -> Result<Self> {
                $create().map(Self).map_err(Error::wrap)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: it was created with this, and nothing else destroys it. At the end of a program the library may be gone
                // already, which is no error.
                let _ = unsafe { $destroy(self.0) };
            }
        }
    };
}

owned! { Handle, sys::cudnnHandle_t, result::create_handle, result::destroy_handle }
owned! {
    /// Images, or an output.
    Images, sys::cudnnTensorDescriptor_t, result::create_tensor_descriptor, result::destroy_tensor_descriptor
}
owned! { Weights, sys::cudnnFilterDescriptor_t, result::create_filter_descriptor, result::destroy_filter_descriptor }
owned! {
    /// How weights slide over images.
    Slide, sys::cudnnConvolutionDescriptor_t, result::create_convolution_descriptor, result::destroy_convolution_descriptor
}

/// cuDNN as one thread has it for one device, with what has been found out.
struct Library {
    plans: RefCell<HashMap<(Convolution, Pass), Option<Rc<Plan>>>>,
    handle: Handle,
}

impl Library {
    /// That of this thread.
    fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        thread_local! {
            static LIBRARIES: RefCell<HashMap<DeviceId, Rc<Library>>> = RefCell::default();
        }
        let stream = device.cuda_stream();
        // cuDNN works on the device of the thread's context.
        stream.context().bind_to_thread().map_err(Error::wrap)?;
        if let Some(library) = LIBRARIES.with_borrow(|libraries| libraries.get(&device.id()).cloned()) {
            return Ok(library);
        }
        let handle = Handle::new()?;
        // SAFETY: both are alive.
        unsafe { result::set_stream(handle.0, stream.cu_stream() as _) }.map_err(Error::wrap)?;
        let library = Rc::new(Self { plans: RefCell::default(), handle });
        LIBRARIES.with_borrow_mut(|libraries| libraries.insert(device.id(), library.clone()));
        Ok(library)
    }

    /// How a pass is computed, found out when it is first asked for; `None` if it is not supported.
    fn plan(&self, convolution: &Convolution, pass: Pass) -> Result<Option<Rc<Plan>>> {
        let key = (*convolution, pass);
        if let Some(plan) = self.plans.borrow().get(&key) {
            return Ok(plan.clone());
        }
        let plan = Plan::new(self.handle.0, convolution, pass).map_err(told(convolution))?.map(Rc::new);
        self.plans.borrow_mut().insert(key, plan.clone());
        Ok(plan)
    }
}

/// A convolution as cuDNN is told of it.
struct Descriptors {
    images: Images,
    weights: Weights,
    output: Images,
    slide: Slide,
}

/// How a pass of a convolution is computed.
struct Plan {
    of: Descriptors,
    /// From the fastest on, as the heuristics have it.
    choices: Vec<Choice>,
    /// Which of these is used: the first that has not turned out to be unsupported.
    chosen: Cell<usize>,
}

/// An algorithm, and how it multiplies.
struct Choice {
    algorithm: Algorithm,
    math: Math,
    workspace: usize,
}

enum Algorithm {
    Values(sys::cudnnConvolutionFwdAlgo_t),
    InputGradient(sys::cudnnConvolutionBwdDataAlgo_t),
    WeightGradient(sys::cudnnConvolutionBwdFilterAlgo_t),
}

/// Asks for the algorithms of a pass, of which cuDNN has functions of the same form; the first error, if any, is returned.
macro_rules! algorithms {
    ($ask:path, $size:path, $algorithm:path, $precision:expr, $slide:expr, ($handle:expr, $($descriptor:expr),+)) => {{
        const MOST: usize = 16;
        // SAFETY: it is numbers, of which those of enumerations have a case for 0.
        let mut found: [_; MOST] = unsafe { std::mem::zeroed() };
        let mut count = 0;
        // SAFETY: handle and descriptors are alive, and there is room for as many as are asked for.
        let asked = unsafe { $ask($handle, $($descriptor),+, MOST as i32, &mut count, found.as_mut_ptr()) };
        let mut choices = Vec::new();
        if if_supported(asked)?.is_some() {
            for one in &found[..count.clamp(0, MOST as i32) as usize] {
                let is_usable = one.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                    && one.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC;
                let Some(math) = precise_math(one.mathType, $precision).filter(|_| is_usable) else { continue };
                // SAFETY: the descriptors are alive.
                let workspace = unsafe {
                    result::set_convolution_math_type($slide, math).map_err(Error::wrap)?;
                    $size($handle, $($descriptor),+, one.algo)
                };
                if let Some(workspace) = if_supported(workspace)?.filter(|size| *size <= WORKSPACE) {
                    choices.push(Choice { algorithm: $algorithm(one.algo), math, workspace });
                }
            }
        }
        choices
    }};
}

/// How an algorithm that the heuristics would have multiply by `math` is to multiply; `None` if too few bits would be left.
fn precise_math(math: Math, precision: Precision) -> Option<Math> {
    match (math, precision) {
        // Conversion is to `f16`, whose range is small.
        (Math::CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION, _) | (Math::CUDNN_TENSOR_OP_MATH, Precision::F32) => None,
        // By default, `f32` may be multiplied as TF32.
        (_, Precision::F32) => Some(Math::CUDNN_FMA_MATH),
        (math, Precision::Tf32 | Precision::Bf16) => Some(math),
    }
}

impl Descriptors {
    /// Those of a convolution with as much padding after as before; or what cuDNN says against it.
    fn new(convolution: &Convolution) -> Result<std::result::Result<Self, CudnnError>> {
        const CHANNELS_LAST: sys::cudnnTensorFormat_t = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let &Convolution { window, filters, groups, precision } = convolution;
        let number = |number: i64| i32::try_from(number).map_err(Error::wrap);
        // Of the three axes, the first has one cell.
        let pair = |numbers: [i64; 3]| Ok::<_, Error>([number(numbers[1])?, number(numbers[2])?]);
        let (batch, channels, groups) = (number(window.batch)?, number(window.channels)?, number(groups as i64)?);
        let filters = number(filters as i64)?;
        let ([height, width], [lines, columns], [kernel_height, kernel_width]) =
            (pair(window.input)?, pair(window.output)?, pair(window.size)?);
        let ([above, left], [down, right], [dilation_down, dilation_right]) =
            (pair(window.before)?, pair(window.strides)?, pair(window.dilation)?);
        let (kind, math) = match precision {
            Precision::F32 => (sys::cudnnDataType_t::CUDNN_DATA_FLOAT, Math::CUDNN_FMA_MATH),
            Precision::Tf32 => (sys::cudnnDataType_t::CUDNN_DATA_FLOAT, Math::CUDNN_DEFAULT_MATH),
            Precision::Bf16 => (sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16, Math::CUDNN_TENSOR_OP_MATH),
        };
        let found = Self { images: Images::new()?, weights: Weights::new()?, output: Images::new()?, slide: Slide::new()? };
        let output = [batch, filters, lines, columns];
        let mut computed = [0; 4];
        let mut tell = || {
            // SAFETY: the descriptors are alive.
            unsafe {
                result::set_tensor4d_descriptor(found.images.0, CHANNELS_LAST, kind, [batch, channels, height, width])?;
                result::set_tensor4d_descriptor(found.output.0, CHANNELS_LAST, kind, output)?;
                let size = [filters, channels / groups, kernel_height, kernel_width];
                result::set_filter4d_descriptor(found.weights.0, kind, CHANNELS_LAST, size)?;
                result::set_convolution2d_descriptor(
                    found.slide.0,
                    above,
                    left,
                    down,
                    right,
                    dilation_down,
                    dilation_right,
                    sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                    // Sums are of `f32` whatever the factors are.
                    sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
                )?;
                result::set_convolution_group_count(found.slide.0, groups)?;
                result::set_convolution_math_type(found.slide.0, math)?;
                let [n, c, h, w] = computed.each_mut();
                sys::cudnnGetConvolution2dForwardOutputDim(found.slide.0, found.images.0, found.weights.0, n, c, h, w).result()
            }
        };
        if let Err(error) = tell() {
            return Ok(Err(error));
        }
        // Before it writes beyond what there is room for.
        if computed != output {
            candle_core::bail!("its output is {computed:?}, expected {output:?}");
        }
        Ok(Ok(found))
    }
}

impl Plan {
    /// The plan for a convolution with as much padding after as before; `None` if cuDNN does not support it.
    fn new(handle: sys::cudnnHandle_t, convolution: &Convolution, pass: Pass) -> Result<Option<Self>> {
        let precision = convolution.precision;
        let Some(of) = if_supported(Descriptors::new(convolution)?)? else { return Ok(None) };
        let (x, w, y, slide) = (of.images.0, of.weights.0, of.output.0, of.slide.0);
        let choices = match pass {
            Pass::Values => algorithms!(
                result::get_convolution_forward_algorithm,
                result::get_convolution_forward_workspace_size,
                Algorithm::Values,
                precision,
                slide,
                (handle, x, w, slide, y)
            ),
            Pass::InputGradient => algorithms!(
                result::get_convolution_backward_data_algorithm,
                result::get_convolution_backward_data_workspace_size,
                Algorithm::InputGradient,
                precision,
                slide,
                (handle, w, y, slide, x)
            ),
            Pass::WeightGradient => algorithms!(
                result::get_convolution_backward_filter_algorithm,
                result::get_convolution_backward_filter_workspace_size,
                Algorithm::WeightGradient,
                precision,
                slide,
                (handle, x, y, slide, w)
            ),
        };
        Ok(if choices.is_empty() { None } else { Some(Self { of, choices, chosen: Cell::new(0) }) })
    }

    /// Values of what a pass computes.
    fn output_len(&self, convolution: &Convolution, pass: Pass) -> usize {
        let &Convolution { window, filters, groups, .. } = convolution;
        let cells = |sizes: [i64; 3]| sizes.iter().product::<i64>() as usize;
        let (batch, channels) = (window.batch as usize, window.channels as usize);
        match pass {
            Pass::Values => batch * cells(window.output) * filters,
            Pass::InputGradient => batch * cells(window.input) * channels,
            Pass::WeightGradient => filters * cells(window.size) * (channels / groups),
        }
    }

    /// Puts the pass on the stream, unless no algorithm turns out to support it.
    fn run(&self, device: &CudaDevice, handle: sys::cudnnHandle_t, tensors: [&Tensor; 2], out: &mut Storage) -> Result<bool> {
        let stream = device.cuda_stream();
        while let Some(choice) = self.choices.get(self.chosen.get()) {
            let workspace = match choice.workspace {
                0 => None,
                size => Some(empty(device, DType::U8, size)?),
            };
            match if_supported(self.launch(choice, handle, &stream, tensors, out, workspace)?)? {
                Some(()) => return Ok(true),
                None => self.chosen.set(self.chosen.get() + 1),
            }
        }
        Ok(false)
    }

    /// Puts the pass on the stream, as `choice` computes it.
    fn launch(
        &self,
        choice: &Choice,
        handle: sys::cudnnHandle_t,
        stream: &CudaStream,
        [first, second]: [&Tensor; 2],
        out: &mut Storage,
        mut workspace: Option<Storage>,
    ) -> Result<std::result::Result<(), CudnnError>> {
        let ((a, a_layout), (b, b_layout)) = (first.storage_and_layout(), second.storage_and_layout());
        let (a, _a_in_use) = address(Memory::from(&*a), Some(a_layout), stream)?;
        let (b, _b_in_use) = address(Memory::from(&*b), Some(b_layout), stream)?;
        let mut out = MemoryMut::from(out);
        let (out, _out_in_use) = address_mut(&mut out, None, stream)?;
        let mut workspace = workspace.as_mut().map(MemoryMut::from);
        let workspace = workspace.as_mut().map(|memory| address_mut(memory, None, stream)).transpose()?;
        let scratch = workspace.as_ref().map_or(std::ptr::null_mut(), |(address, _)| *address as *mut c_void);
        let (a, b, out) = (a as *const c_void, b as *const c_void, out as *mut c_void);
        // What is there is multiplied by the second number and added: nothing.
        let (one, zero) = (1f32, 0f32);
        let (one, zero): (*const c_void, *const c_void) = ((&raw const one).cast(), (&raw const zero).cast());
        let Descriptors { images, weights, output, slide } = &self.of;
        let (x, w, y, slide) = (images.0, weights.0, output.0, slide.0);
        // SAFETY: handle and descriptors are alive. The tensors lie row by row, have the sizes and the types that the descriptors
        // were told of, and are in use until the pass is on the stream, after which they are freed on it. So is the workspace, of
        // the size that this algorithm takes.
        Ok(unsafe {
            match result::set_convolution_math_type(slide, choice.math) {
                Err(error) => Err(error),
                Ok(()) => match choice.algorithm {
                    Algorithm::Values(algorithm) => result::convolution_forward(
                        handle,
                        one,
                        x,
                        a,
                        w,
                        b,
                        slide,
                        algorithm,
                        scratch,
                        choice.workspace,
                        zero,
                        y,
                        out,
                    ),
                    Algorithm::InputGradient(algorithm) => result::convolution_backward_data(
                        handle,
                        one,
                        w,
                        a,
                        y,
                        b,
                        slide,
                        algorithm,
                        scratch,
                        choice.workspace,
                        zero,
                        x,
                        out,
                    ),
                    Algorithm::WeightGradient(algorithm) => result::convolution_backward_filter(
                        handle,
                        one,
                        x,
                        a,
                        y,
                        b,
                        slide,
                        algorithm,
                        scratch,
                        choice.workspace,
                        zero,
                        w,
                        out,
                    ),
                },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Window;

    /// A window over images, in both directions.
    fn convolution(input: [i64; 2], output: [i64; 2], strides: [i64; 2], dilation: [i64; 2], before: [i64; 2]) -> Convolution {
        let image = |[height, width]: [i64; 2]| [1, height, width];
        let window = Window {
            batch: 2,
            channels: 8,
            input: image(input),
            output: image(output),
            size: [1, 3, 5],
            strides: image(strides),
            dilation: image(dilation),
            before: [0, before[0], before[1]],
        };
        Convolution { window, filters: 6, groups: 2, precision: Precision::Tf32 }
    }

    #[test]
    fn descriptors_have_the_sizes_of_the_convolution() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            let convolution = Convolution { precision, ..convolution([9, 12], [5, 4], [2, 1], [1, 2], [1, 0]) };
            let found = Descriptors::new(&convolution).unwrap().unwrap();
            let [mut n, mut c, mut h, mut w, mut kind] = [0; 5].map(|_: i32| 0);
            let mut strides = [0; 4];
            let [by_n, by_c, by_h, by_w] = strides.each_mut();
            let kind = (&raw mut kind).cast();
            // SAFETY: the descriptor is alive, and each number has its place.
            let asked = unsafe {
                sys::cudnnGetTensor4dDescriptor(found.images.0, kind, &mut n, &mut c, &mut h, &mut w, by_n, by_c, by_h, by_w)
            };
            asked.result().unwrap();
            assert_eq!(([n, c, h, w], strides), ([2, 8, 9, 12], [9 * 12 * 8, 1, 12 * 8, 8]));
        }
    }

    #[test]
    fn an_output_of_another_size_is_an_error() {
        let error = Descriptors::new(&convolution([9, 12], [5, 5], [2, 1], [1, 2], [1, 0])).err().expect("it does not fit");
        assert_eq!(error.to_string(), "its output is [2, 6, 5, 4], expected [2, 6, 5, 5]");
    }
}
