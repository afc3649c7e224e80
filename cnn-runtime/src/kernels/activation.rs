//! Activation functions: each with its slope, alone or at the end of another operation.

use super::elementary::{exp, exp_m1, normal_cdf, sigmoid, softplus, tanh};
use super::fill::{CHUNK, in_chunks};
use super::glu::Glu;
use super::op::{Unary, apply};
use super::real::Real;
use super::simd::simd;
use super::softmax::Softmax;
use super::sparsemax::Sparsemax;
use crate::gpu::{Gpu, Kernel, Work, arguments, tensor};
use crate::spec::{self, Activation};
use candle_core::{Result, Storage, Tensor};

/// Applies `activation` to every element, or along the last axis, of `xs`.
///
/// # Errors
/// If the tensor's type is not a float, or `glu` finds an odd number of channels.
pub(crate) fn activate(xs: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Linear => Ok(xs.clone()),
        Activation::Softmax => apply(xs, Softmax { log: false }),
        Activation::LogSoftmax => apply(xs, Softmax { log: true }),
        Activation::Sparsemax => apply(xs, Sparsemax),
        Activation::Glu if xs.dims().last().is_none_or(|channels| channels % 2 == 1) => {
            candle_core::bail!("`glu` takes an even number of channels, found {:?}", xs.dims())
        }
        Activation::Glu => apply(xs, Glu),
        elementwise => apply(xs, Elementwise::Named(elementwise)),
    }
}

/// Keras' `ReLU` layer.
pub(crate) fn relu(xs: &Tensor, spec: &spec::ReLU) -> Result<Tensor> {
    apply(xs, Elementwise::Relu(*spec))
}

/// Keras' `LeakyReLU` layer: `x` if positive, else `slope·x`.
pub(crate) fn leaky_relu(xs: &Tensor, slope: f64) -> Result<Tensor> {
    apply(xs, Elementwise::LeakyRelu(slope))
}

/// Keras' `ELU` layer: `x` if positive, else `alpha·(eˣ − 1)`.
pub(crate) fn elu(xs: &Tensor, alpha: f64) -> Result<Tensor> {
    apply(xs, Elementwise::Elu(alpha))
}

/// `x` above `threshold`, else `value`.
pub(crate) fn threshold(xs: &Tensor, threshold: f64, value: f64) -> Result<Tensor> {
    apply(xs, Elementwise::Threshold { threshold, value })
}

/// `softmax` along one axis of `xs`, the batch counted.
pub(crate) fn softmax(xs: &Tensor, axis: usize) -> Result<Tensor> {
    let last = xs.rank() - 1;
    if axis == last {
        return activate(xs, Activation::Softmax);
    }
    activate(&xs.transpose(axis, last)?, Activation::Softmax)?.transpose(axis, last)?.contiguous()
}

/// A function of one element, as an operation.
#[derive(Clone, Copy)]
enum Elementwise {
    Named(Activation),
    Relu(spec::ReLU),
    LeakyRelu(f64),
    Elu(f64),
    Threshold { threshold: f64, value: f64 },
}

impl Unary for Elementwise {
    fn name(&self) -> &'static str {
        match self {
            Elementwise::Named(activation) => activation.word(),
            Elementwise::Relu(_) => "ReLU",
            Elementwise::LeakyRelu(_) => "LeakyReLU",
            Elementwise::Elu(_) => "ELU",
            Elementwise::Threshold { .. } => "Threshold",
        }
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        in_chunks(xs.len(), CHUNK, |number, ys| values(*self, &xs[number * CHUNK..][..ys.len()], ys))
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        // What is not read is not kept; the loop is over as many values of each.
        let xs = if self.reads_input() { xs } else { ys };
        in_chunks(grad.len(), CHUNK, |number, out| {
            let part = number * CHUNK..number * CHUNK + out.len();
            gradients(*self, &xs[part.clone()], &ys[part.clone()], &grad[part], out);
        })
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (function, settings) = self.in_cuda();
        values_on_gpu(gpu, xs, function, settings)
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        let (function, settings) = self.in_cuda();
        gradients_on_gpu(gpu, if self.reads_input() { xs } else { ys }, ys, grad, function, settings)
    }

    fn reads_input(&self) -> bool {
        match self {
            Elementwise::Named(activation) => !slope_follows_from_output(*activation),
            Elementwise::Relu(spec) => *spec != PLAIN,
            _ => true,
        }
    }
}

impl Elementwise {
    /// Its name in `cuda/activation.cu`, and its settings there.
    fn in_cuda(&self) -> (&'static str, [f64; 3]) {
        match *self {
            Elementwise::Named(activation) => (activation.word(), [0.0; 3]),
            Elementwise::Relu(PLAIN) => (Activation::Relu.word(), [0.0; 3]),
            // Nothing is larger than what is no number.
            Elementwise::Relu(spec) => ("layer_relu", [spec.negative_slope, spec.threshold, spec.max_value.unwrap_or(f64::NAN)]),
            Elementwise::LeakyRelu(slope) => ("layer_leaky_relu", [slope, 0.0, 0.0]),
            Elementwise::Elu(alpha) => ("layer_elu", [alpha, 0.0, 0.0]),
            Elementwise::Threshold { threshold, value } => ("layer_threshold", [threshold, value, 0.0]),
        }
    }
}

const FAMILY: &str = "activation";

/// `function` at every one of `xs`.
fn values_on_gpu(gpu: Gpu, xs: &Tensor, function: &str, [a, b, c]: [f64; 3]) -> Result<Storage> {
    let count = xs.elem_count();
    let mut ys = gpu.empty(xs.dtype(), count)?;
    let kernel = Kernel::new(FAMILY, format!("{function}_values"), xs.dtype());
    // SAFETY: it reads `count` values of `xs` and writes as many of `ys`, which both have.
    unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, count, a, b, c]) }?;
    Ok(ys)
}

/// The gradient of every one of `xs`, from the gradient `grad` of `ys`, what `function` is there.
fn gradients_on_gpu(gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, function: &str, settings: [f64; 3]) -> Result<Storage> {
    let (count, [a, b, c]) = (grad.elem_count(), settings);
    if xs.elem_count() != count || ys.elem_count() != count {
        candle_core::bail!("`{function}` has a gradient of {count} values for {}", xs.elem_count());
    }
    let mut out = gpu.empty(grad.dtype(), count)?;
    let kernel = Kernel::new(FAMILY, format!("{function}_gradients"), grad.dtype());
    // SAFETY: it reads `count` values of each and writes as many of `out`, which all have.
    unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut out, xs, ys, grad, count, a, b, c]) }?;
    Ok(out)
}

/// The gradient before an activation whose output was `ys` and whose slope follows from that, from the gradient after it.
pub(crate) fn undo_on_gpu(gpu: Gpu, activation: Activation, ys: &Tensor, grad: &Tensor) -> Result<Tensor> {
    if activation == Activation::Linear {
        return Ok(grad.clone());
    }
    Ok(tensor(gradients_on_gpu(gpu, ys, ys, grad, activation.word(), [0.0; 3])?, grad.shape()))
}

/// Adds `bias`, if there is one, to each row of the `count` values `ys`, and applies an activation of single elements.
pub(crate) fn finish_on_gpu(
    gpu: Gpu,
    ys: &mut Storage,
    count: usize,
    bias: Option<&Tensor>,
    activation: Activation,
) -> Result<()> {
    if bias.is_none() && activation == Activation::Linear {
        return Ok(());
    }
    let width = bias.map_or(1, Tensor::elem_count);
    let kernel = Kernel::new(FAMILY, format!("{}_end", activation.word()), ys.dtype());
    // SAFETY: it reads and writes the first `count` values of `ys`, and reads as many of the bias as its `width`.
    unsafe { gpu.launch(&kernel, Work::Each(count), arguments![ys, bias, count, width]) }
}

/// An activation of single elements at the sums of `a` and `b`, which are of one shape.
pub(crate) fn sums_on_gpu(gpu: Gpu, a: &Tensor, b: &Tensor, activation: Activation) -> Result<Storage> {
    let count = a.elem_count();
    let mut ys = gpu.empty(a.dtype(), count)?;
    let kernel = Kernel::new(FAMILY, format!("{}_sums", activation.word()), a.dtype());
    // SAFETY: it reads `count` values of `a` and `b` and writes as many of `ys`, which all have.
    unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, a, b, count]) }?;
    Ok(ys)
}

/// Does `$body` with the constant `$name` for an activation of single elements, so that a loop in it is compiled for that one alone.
macro_rules! with_constant {
    ($activation:expr, $name:ident => $body:expr) => {
        $crate::kernels::activation::with_constant!($activation, $name => $body, [
            Linear, Relu, LeakyRelu, Relu6, Elu, Celu, Selu, Gelu, Silu, HardSilu, Sigmoid, HardSigmoid, LogSigmoid, Tanh, HardTanh,
            TanhShrink, SoftShrink, HardShrink, Softplus, Softsign, Squareplus, Mish, Exponential, SparsePlus, SparseSigmoid,
        ])
    };
    ($activation:expr, $name:ident => $body:expr, [$($activations:ident),* $(,)?]) => {
        match $activation {
            $(Activation::$activations => {
                const $name: Activation = Activation::$activations;
                $body
            })*
            // By name, so that an activation that is in neither list does not compile.
            other @ (Activation::Softmax | Activation::LogSoftmax | Activation::Sparsemax | Activation::Glu) => {
                unreachable!("`{}` is not of single elements", other.word())
            }
        }
    };
}
pub(super) use with_constant;

simd! {
    /// The function at every one of `xs`.
    fn values<T: Real>(function: Elementwise, xs: &[T], ys: &mut [T]) {
        macro_rules! each {
            ($f:expr) => {
                for (y, x) in ys.iter_mut().zip(xs) {
                    *y = $f(*x);
                }
            };
        }
        match function {
            Elementwise::Named(activation) => with_constant!(activation, NAMED => each!(|x| value(NAMED, x))),
            Elementwise::Relu(spec) if spec == PLAIN => each!(|x| value(Activation::Relu, x)),
            Elementwise::Relu(spec) => each!(|x| relu_value(&spec, x)),
            Elementwise::LeakyRelu(slope) => {
                let slope = T::of(slope);
                each!(|x: T| if x > T::zero() { x } else { slope * x });
            }
            Elementwise::Elu(alpha) => {
                let alpha = T::of(alpha);
                each!(|x: T| if x > T::zero() { x } else { alpha * exp_m1(x) });
            }
            Elementwise::Threshold { threshold, value } => {
                let (threshold, value) = (T::of(threshold), T::of(value));
                each!(|x: T| if x > threshold { x } else { value });
            }
        }
    }
}

simd! {
    /// The gradient of every one of `xs`, from the gradient `grad` of `ys`, the values there.
    fn gradients<T: Real>(function: Elementwise, xs: &[T], ys: &[T], grad: &[T], out: &mut [T]) {
        macro_rules! each {
            ($slope:expr) => {
                for (out, ((x, y), g)) in out.iter_mut().zip(xs.iter().zip(ys).zip(grad)) {
                    *out = *g * $slope(*x, *y);
                }
            };
        }
        match function {
            Elementwise::Named(activation) => with_constant!(activation, NAMED => each!(|x, y| slope(NAMED, x, y))),
            Elementwise::Relu(spec) if spec == PLAIN => each!(|x, y| slope(Activation::Relu, x, y)),
            Elementwise::Relu(spec) => each!(|x, _| relu_slope(&spec, x)),
            Elementwise::LeakyRelu(below) => {
                let below = T::of(below);
                each!(|x: T, _| if x > T::zero() { T::one() } else { below });
            }
            Elementwise::Elu(alpha) => {
                let alpha = T::of(alpha);
                each!(|x: T, y: T| if x > T::zero() { T::one() } else { y + alpha });
            }
            Elementwise::Threshold { threshold, .. } => {
                let threshold = T::of(threshold);
                for (out, (x, g)) in out.iter_mut().zip(xs.iter().zip(grad)) {
                    *out = if *x > threshold { *g } else { T::zero() };
                }
            }
        }
    }
}

/// The rectifier without settings.
const PLAIN: spec::ReLU = spec::ReLU::new();

/// Keras' rectifier before its largest value cuts it.
#[inline(always)]
fn leaky<T: Real>(spec: &spec::ReLU, x: T) -> T {
    let threshold = T::of(spec.threshold);
    if x <= threshold { T::of(spec.negative_slope) * (x - threshold) } else { x }
}

#[inline(always)]
fn relu_value<T: Real>(spec: &spec::ReLU, x: T) -> T {
    let y = leaky(spec, x);
    spec.max_value.map_or(y, |most| y.at_most(T::of(most)))
}

#[inline(always)]
fn relu_slope<T: Real>(spec: &spec::ReLU, x: T) -> T {
    match spec.max_value {
        Some(most) if leaky(spec, x) >= T::of(most) => T::zero(),
        _ if x > T::of(spec.threshold) => T::one(),
        _ => T::of(spec.negative_slope),
    }
}

/// Whether the slope follows from the output alone, so that an operation that ends in the activation need not keep
/// what went into it.
pub(crate) fn slope_follows_from_output(activation: Activation) -> bool {
    use Activation::*;
    matches!(activation, Linear | Relu | Relu6 | LeakyRelu | Sigmoid | Tanh | HardTanh | Exponential)
}

pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const LEAKY_SLOPE: f64 = 0.2;

#[inline(always)]
fn clamp<T: Real>(x: T, low: f64, high: f64) -> T {
    x.at_least(T::of(low)).at_most(T::of(high))
}

#[inline(always)]
fn hard_sigmoid<T: Real>(x: T) -> T {
    clamp(x / T::of(6.0) + T::of(0.5), 0.0, 1.0)
}

/// The slope of [`hard_sigmoid`] where it is `y`.
#[inline(always)]
fn hard_sigmoid_slope<T: Real>(y: T) -> T {
    if y > T::zero() && y < T::one() { T::of(1.0 / 6.0) } else { T::zero() }
}

/// `activation` of one element; see [`Activation`] for the formulas.
///
/// # Panics
/// If the activation is not one of single elements.
#[inline(always)]
#[rustfmt::skip]
pub(crate) fn value<T: Real>(activation: Activation, x: T) -> T {
    let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
    match activation {
        Activation::Linear => x,
        Activation::Relu => x.at_least(zero),
        Activation::LeakyRelu => if x > zero { x } else { T::of(LEAKY_SLOPE) * x },
        Activation::Relu6 => clamp(x, 0.0, 6.0),
        Activation::Elu | Activation::Celu => if x > zero { x } else { exp_m1(x) },
        Activation::Selu => T::of(SELU_SCALE) * if x > zero { x } else { T::of(SELU_ALPHA) * exp_m1(x) },
        Activation::Gelu => x * normal_cdf(x),
        Activation::Silu => x * sigmoid(x),
        Activation::HardSilu => x * hard_sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::HardSigmoid => hard_sigmoid(x),
        Activation::LogSigmoid => -softplus(-x),
        Activation::Tanh => tanh(x),
        Activation::HardTanh => clamp(x, -1.0, 1.0),
        Activation::TanhShrink => x - tanh(x),
        Activation::SoftShrink => if x > half { x - half } else if x < -half { x + half } else { zero },
        Activation::HardShrink => if x.abs() > half { x } else { zero },
        Activation::Softplus => softplus(x),
        Activation::Softsign => x / (one + x.abs()),
        Activation::Squareplus => half * (x + (x * x + T::of(4.0)).sqrt()),
        Activation::Mish => x * tanh(softplus(x)),
        Activation::Exponential => exp(x),
        Activation::SparsePlus => if x <= -one { zero } else if x >= one { x } else { T::of(0.25) * (x + one) * (x + one) },
        Activation::SparseSigmoid => clamp(half * (x + one), 0.0, 1.0),
        Activation::Softmax | Activation::LogSoftmax | Activation::Sparsemax | Activation::Glu => unreachable!("`{}` is not of single elements", activation.word()),
    }
}

/// The slope of `activation` at `x`, where it is `y`; at a kink, the slope that Keras' backends take.
///
/// # Panics
/// If the activation is not one of single elements.
#[inline(always)]
#[rustfmt::skip]
pub(crate) fn slope<T: Real>(activation: Activation, x: T, y: T) -> T {
    let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
    let step = |inside: bool| if inside { one } else { zero };
    match activation {
        Activation::Linear => one,
        Activation::Relu => step(y > zero),
        Activation::LeakyRelu => if y > zero { one } else { T::of(LEAKY_SLOPE) },
        Activation::Relu6 => step(y > zero && y < T::of(6.0)),
        Activation::Elu | Activation::Celu => if x > zero { one } else { y + one },
        Activation::Selu => if x > zero { T::of(SELU_SCALE) } else { y + T::of(SELU_SCALE * SELU_ALPHA) },
        Activation::Gelu => normal_cdf(x) + x * exp(-half * x * x) * T::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2),
        Activation::Silu => sigmoid(x) * (one + x * (one - sigmoid(x))),
        Activation::HardSilu => hard_sigmoid(x) + x * hard_sigmoid_slope(hard_sigmoid(x)),
        Activation::Sigmoid => y * (one - y),
        Activation::HardSigmoid => hard_sigmoid_slope(y),
        Activation::LogSigmoid => sigmoid(-x),
        Activation::Tanh => one - y * y,
        Activation::HardTanh => step(y > -one && y < one),
        Activation::TanhShrink => tanh(x) * tanh(x),
        Activation::SoftShrink | Activation::HardShrink => step(x.abs() > half),
        Activation::Softplus => sigmoid(x),
        Activation::Softsign => (one + x.abs()).recip().powi(2),
        Activation::Squareplus => half * (one + x / (x * x + T::of(4.0)).sqrt()),
        Activation::Mish => tanh(softplus(x)) + x * sigmoid(x) * (one - tanh(softplus(x)).powi(2)),
        Activation::Exponential => y,
        Activation::SparsePlus => clamp(half * (x + one), 0.0, 1.0),
        Activation::SparseSigmoid => if x > -one && x < one { half } else { zero },
        Activation::Softmax | Activation::LogSoftmax | Activation::Sparsemax | Activation::Glu => unreachable!("`{}` is not of single elements", activation.word()),
    }
}
