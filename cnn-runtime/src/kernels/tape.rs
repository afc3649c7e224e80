//! A tape of what a training pass computes, along which gradients flow back without candle's zero-filled sums.
//!
//! Candle's backward pass starts every gradient as a tensor of zeros and adds to it, which for large activations takes
//! longer than some layers' arithmetic. While a tape records, each of this crate's operations is noted on it and its output
//! is a leaf of candle's graph; a gradient is then stored where it arrives first and added to only where branches meet.
//! The tape itself keeps no tensor: what a backward pass reads lives in that, and the rest is freed as the network goes on.
//! Operations of candle's own in between are differentiated by candle, from leaf to leaf, so that none is lost.

use crate::gpu::tensor;
use crate::spec::Activation;
use candle_core::op::BackpropOp;
use candle_core::{Device, Result, Shape, Storage, Tensor, TensorId};
use scopeguard::guard;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// The operations of one pass, in order.
#[derive(Default)]
pub(crate) struct Tape {
    steps: Vec<Step>,
    /// The outputs of candle's operations that are on the tape already.
    bridged: HashSet<TensorId>,
    /// Those that are on the tape as this crate's.
    views: HashSet<TensorId>,
    /// How many inputs of operations a tensor is.
    uses: HashMap<TensorId, usize>,
    /// The outputs of operations that end in a rectifier, and need not undo it themselves.
    rectified: HashSet<TensorId>,
}

/// The gradients of an operation's inputs from that of its output, which it may free, and from what it has kept of them.
pub(crate) type Backward = Box<dyn FnOnce(Arrived, &mut Passing) -> Result<Vec<Option<Tensor>>>>;

/// The gradient of an operation's output.
pub(crate) struct Arrived {
    pub(crate) gradient: Tensor,
    /// Whether the rectifier that the operation ends in has been undone in it.
    pub(crate) is_undone: bool,
}

/// What else is to become of the gradient of an operation's first input: the operation takes what it does while it computes it, which
/// saves passes over it.
#[derive(Default)]
pub(crate) struct Passing {
    /// The sum of what others have given to that gradient, to be added first.
    pub(crate) others: Option<Tensor>,
    /// Whether the input is the output of a rectifier that is to be undone then; nobody else is to add anything.
    pub(crate) is_rectified: bool,
}

enum Step {
    /// One of this crate's operations, of inputs of which some have gradients.
    Operation { inputs: Vec<Option<TensorId>>, output: TensorId, backward: Backward },
    /// Operations of candle's own, from leaves to this tensor.
    Candle { output: Tensor },
}

thread_local! {
    static RECORDING: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// Runs `work` with another tape, or none, than that of a pass that this thread may be in the middle of, waiting for others.
fn with<R>(tape: Option<Tape>, work: impl FnOnce() -> R) -> R {
    let _restore = guard(RECORDING.replace(tape), |before| RECORDING.set(before));
    work()
}

/// Runs `work`, none of which is noted on a tape.
pub(crate) fn unrecorded<R>(work: impl FnOnce() -> R) -> R {
    with(None, work)
}

/// Runs `pass` on a tape, and gives what it gives with the tape.
pub(crate) fn record<R>(pass: impl FnOnce() -> Result<R>) -> Result<(R, Tape)> {
    with(Some(Tape::default()), || {
        let result = pass()?;
        Ok((result, RECORDING.take().expect("nothing else ends a recording")))
    })
}

/// Whether operations on `device` are to be noted on a tape.
pub(crate) fn is_recording(device: &Device) -> bool {
    !device.is_metal() && RECORDING.with_borrow(Option::is_some)
}

/// The output of an operation of `inputs`, noted on the tape if one of them has a gradient; `backward` is given it.
///
/// `rectifies` says that the operation ends in a rectifier, and takes gradients in which that is undone.
pub(crate) fn note(
    inputs: &[&Tensor],
    values: Storage,
    shape: Shape,
    rectifies: bool,
    backward: impl FnOnce(&Tensor) -> Result<Backward>,
) -> Result<Tensor> {
    RECORDING.with_borrow_mut(|tape| {
        let tape = tape.as_mut().expect("a tape is recording");
        let inputs: Vec<_> = inputs.iter().map(|input| tape.tracks(input).then_some(input.id())).collect();
        if inputs.iter().all(Option::is_none) {
            return Ok(tensor(values, shape));
        }
        inputs.iter().flatten().for_each(|input| *tape.uses.entry(*input).or_default() += 1);
        // A variable is what candle takes for a leaf.
        let output = Tensor::from_storage(values, shape, BackpropOp::none(), true);
        if rectifies {
            tape.rectified.insert(output.id());
        }
        tape.steps.push(Step::Operation { inputs, output: output.id(), backward: backward(&output)? });
        Ok(output)
    })
}

/// `reshaped`, which candle made of the values of `xs` where they lie, noted on the tape: its gradient is that of `xs`, in another shape.
pub(crate) fn note_reshaped(xs: &Tensor, reshaped: Tensor) -> Tensor {
    RECORDING.with_borrow_mut(|tape| {
        let tape = tape.as_mut().expect("a tape is recording");
        if !tape.tracks(xs) {
            return reshaped;
        }
        *tape.uses.entry(xs.id()).or_default() += 1;
        tape.views.insert(reshaped.id());
        if tape.rectified.contains(&xs.id()) {
            tape.rectified.insert(reshaped.id());
        }
        let before = xs.shape().clone();
        let backward: Backward = Box::new(|arrived, passing| {
            if arrived.is_undone && passing.others.is_none() {
                passing.is_rectified = false;
            }
            Ok(vec![Some(arrived.gradient.reshape(before)?)])
        });
        tape.steps.push(Step::Operation { inputs: vec![Some(xs.id())], output: reshaped.id(), backward });
        reshaped
    })
}

impl Tape {
    /// Whether `tensor` has a gradient; what candle computed it from is put on the tape.
    fn tracks(&mut self, tensor: &Tensor) -> bool {
        let is_candles = !tensor.is_variable() && !self.views.contains(&tensor.id());
        if tensor.track_op() && is_candles && self.bridged.insert(tensor.id()) {
            self.steps.push(Step::Candle { output: tensor.clone() });
        }
        tensor.track_op()
    }

    /// The gradient of `loss`, a scalar, by every variable it depends on.
    pub(crate) fn backward(mut self, loss: &Tensor) -> Result<Gradients> {
        self.tracks(loss);
        let mut gradients = Gradients::default();
        gradients.add(loss.id(), loss.ones_like()?)?;
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Operation { inputs, output, backward } => {
                    let first = inputs.first().copied().flatten();
                    let is_rectified = first.is_some_and(|input| self.is_to_be_rectified(input));
                    inputs.iter().flatten().for_each(|input| *self.uses.entry(*input).or_default() -= 1);
                    let Some(arrived) = gradients.0.remove(&output) else { continue };
                    let mut passing = Passing { others: first.and_then(|input| gradients.take(input)), is_rectified };
                    let found = backward(arrived, &mut passing)?;
                    let others = first.zip(passing.others).map(|(input, others)| (Some(input), Some(others)));
                    for (input, gradient) in others.into_iter().chain(inputs.into_iter().zip(found)) {
                        if let (Some(input), Some(gradient)) = (input, gradient) {
                            gradients.add(input, gradient)?;
                        }
                    }
                    if is_rectified && !passing.is_rectified {
                        let arrived = first.and_then(|input| gradients.0.get_mut(&input));
                        arrived.expect("what a rectifier is undone in").is_undone = true;
                    }
                }
                Step::Candle { output } => {
                    self.bridged.remove(&output.id());
                    let Some(gradient) = gradients.take(output.id()) else { continue };
                    let store = (&output * gradient)?.sum_all()?.backward()?;
                    for leaf in store.get_ids() {
                        let gradient = store.get_id(*leaf).expect("an id of the store");
                        gradients.add(*leaf, gradient.clone())?;
                    }
                }
            }
        }
        Ok(gradients)
    }

    /// Whether a step that takes a gradient undone waits for that of `output`, and one step, which takes it once, is all that is left to
    /// give it any. What operations of candle's own are computed from is not known.
    fn is_to_be_rectified(&self, output: TensorId) -> bool {
        self.bridged.is_empty() && self.rectified.contains(&output) && self.uses.get(&output) == Some(&1)
    }
}

/// Gradients by the tensor they belong to.
#[derive(Default)]
pub(crate) struct Gradients(HashMap<TensorId, Arrived>);

impl Gradients {
    /// Takes the gradient of a tensor.
    pub(crate) fn take(&mut self, id: TensorId) -> Option<Tensor> {
        self.0.remove(&id).map(|arrived| arrived.gradient)
    }

    fn add(&mut self, id: TensorId, gradient: Tensor) -> Result<()> {
        let gradient = match self.take(id) {
            Some(sum) => super::merge::sum(&sum, &gradient, Activation::Linear)?,
            None => gradient,
        };
        self.0.insert(id, Arrived { gradient, is_undone: false });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{self, Conv2D, Padding};
    use crate::{Context, Seed, kernels};
    use candle_core::Var;
    use std::rc::Rc;

    /// Operations whose backward passes read their input, their output, neither or both, side by side.
    fn what_keeps_little(xs: &Tensor) -> Result<Tensor> {
        let random = || Context::training(Seed(1), 0).random("dropout").expect("a training pass");
        let ones = Tensor::ones(3, xs.dtype(), xs.device())?;
        let normal = kernels::batch_norm(xs, &ones, None, kernels::Moments::of(&xs.detach())?, 1e-3, true, Activation::Relu)?;
        let several = [
            normal,
            kernels::dropout(xs, 0.4, random())?,
            kernels::dropout_together(xs, 0.4, &[1, 3], random())?,
            kernels::gaussian_dropout(xs, 0.4, random())?,
            kernels::gaussian_noise(xs, 0.4, random())?,
            kernels::relu(xs, &spec::ReLU::new())?,
            kernels::relu(xs, &spec::ReLU::new().negative_slope(0.1))?,
            kernels::activate(xs, Activation::Sigmoid)?,
            kernels::activate(xs, Activation::Gelu)?,
            kernels::activate(xs, Activation::Softmax)?,
        ];
        kernels::add(&several.iter().collect::<Vec<_>>())
    }

    /// A small network of this crate's operations and of candle's, with a branch of each kind.
    fn network(xs: &Tensor, variables: &[Var]) -> Result<Tensor> {
        let spec = Conv2D::new(4, [3, 3]);
        let x = kernels::conv(xs, &variables[0], Some(&variables[1]), &spec.convolution(), Activation::Relu)?;
        let skip = kernels::activate(&x, Activation::Tanh)?;
        let y = (x.sqr()? + &skip)?;
        let y = kernels::global_avg_pool::<2>("GlobalAveragePooling2D", &(y * &skip)?)?;
        let y = kernels::dense(&y, &variables[2], None, Activation::Linear)?;
        let y = what_keeps_little(&y)?;
        kernels::sparse_softmax_cross_entropy(&y, &Tensor::new(&[2u32, 0], xs.device())?)
    }

    #[test]
    fn gives_the_gradients_that_candle_gives() {
        let device = Device::Cpu;
        let random = |dims: &[usize]| Var::randn(0f64, 1f64, dims, &device).unwrap();
        let variables = [random(&[4, 2, 3, 3]), random(&[4]), random(&[3, 4])];
        let xs = Tensor::randn(0f64, 1f64, (2, 5, 6, 2), &device).unwrap();
        expect_gradients_of_candle(&variables, || network(&xs, &variables));
    }

    fn expect_gradients_of_candle(variables: &[Var], network: impl Fn() -> Result<Tensor>) {
        let expected = network().unwrap().backward().unwrap();
        let (loss, tape) = record(network).unwrap();
        let mut found = tape.backward(&loss).unwrap();
        for variable in variables {
            let difference = (found.take(variable.id()).unwrap() - expected.get(variable).unwrap()).unwrap();
            let largest = difference.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
            assert!(largest < 1e-14, "{largest}");
        }
    }

    /// A block with a skip connection and a pooling behind it, of this crate's operations alone.
    fn residual_network(xs: &Tensor, variables: &[Var]) -> Result<Tensor> {
        let conv = |xs: &Tensor, index: usize, activation| {
            kernels::conv(xs, &variables[index], None, &Conv2D::new(4, [3, 3]).padding(Padding::Same).convolution(), activation)
        };
        let skip = conv(xs, 0, Activation::Relu)?;
        let y = conv(&conv(&skip, 1, Activation::Relu)?, 2, Activation::Linear)?;
        let y = kernels::sum(&skip, &y, Activation::Relu)?;
        let y = conv(&y, 3, Activation::Relu)?;
        let window = spec::MaxPooling2D::new().window();
        let y = kernels::pool("MaxPooling2D", &y, kernels::Pooling::Max, &window)?;
        kernels::sparse_softmax_cross_entropy(&kernels::reshape(&y, &[2, 24])?, &Tensor::new(&[2u32, 0], xs.device())?)
    }

    #[test]
    fn the_gradient_of_a_reshaped_tensor_is_that_of_what_it_was_made_of() {
        let device = Device::Cpu;
        let random = |dims: &[usize]| Var::randn(0f64, 0.3f64, dims, &device).unwrap();
        let variables = [random(&[4, 2, 3, 3]), random(&[2, 24]), random(&[2, 24])];
        let xs = Tensor::randn(0f64, 1f64, (2, 5, 4, 2), &device).unwrap();
        let conv = Conv2D::new(4, [3, 3]).convolution();
        // What reads it, besides an operation of this crate's that rectifies its gradient: one of candle's, another of this crate's; and one
        // of candle's that reads what it was made of.
        for case in 0..8 {
            let [by_candle, twice, before] = [1, 2, 4].map(|bit| case & bit != 0);
            let dense = |xs: &Tensor, index: usize| kernels::dense(xs, &variables[index], None, Activation::Linear);
            expect_gradients_of_candle(&variables[..1], || {
                let ys = kernels::conv(&xs, &variables[0], None, &conv, Activation::Relu)?;
                let flat = kernels::reshape(&ys, &[2, 24])?;
                let mut sum = dense(&flat, 1)?;
                if by_candle {
                    sum = sum.broadcast_mul(&flat.tanh()?.mean_keepdim(1)?)?;
                }
                if twice {
                    sum = kernels::sum(&sum, &dense(&flat, 2)?, Activation::Relu)?;
                }
                if before {
                    sum = sum.broadcast_mul(&ys.tanh()?.mean_all()?)?;
                }
                kernels::sparse_softmax_cross_entropy(&sum, &Tensor::new(&[1u32, 0], xs.device())?)
            });
        }
    }

    #[test]
    fn a_gradient_is_rectified_and_added_to_on_its_way() {
        let device = Device::Cpu;
        let weight = |channels: usize| Var::randn(0f64, 1f64, (4, channels, 3, 3), &device).unwrap();
        let variables = [weight(2), weight(4), weight(4), weight(4)];
        let xs = Tensor::randn(0f64, 1f64, (2, 5, 6, 2), &device).unwrap();
        expect_gradients_of_candle(&variables, || residual_network(&xs, &variables));
    }

    #[test]
    fn what_gives_the_last_of_a_gradient_may_rectify_it_and_add_the_others() {
        let device = Device::Cpu;
        let xs = Var::new(&[1f64], &device).unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        // An operation that gives its input the gradient of its output, and takes `takes` of what it is told.
        let operation = |xs: &Tensor, takes: bool| {
            let (values, told) = (xs.storage_and_layout().0.try_clone(xs.layout()).unwrap(), told.clone());
            note(&[xs], values, xs.shape().clone(), true, |_| {
                Ok(Box::new(move |arrived, passing| {
                    told.borrow_mut().push((arrived.is_undone, passing.others.is_some(), passing.is_rectified));
                    let others = if takes { std::mem::take(passing).others } else { None };
                    let gradient = others.map_or(Ok(arrived.gradient.clone()), |others| others + &arrived.gradient)?;
                    Ok(vec![Some(gradient)])
                }))
            })
        };
        let (loss, tape) = record(|| {
            let branches = operation(&xs, false)?;
            let a = operation(&branches, true)?;
            let b = operation(&branches, false)?;
            kernels::sum(&a, &b, Activation::Linear)?.sum_all()
        })
        .unwrap();
        let gradient = tape.backward(&loss).unwrap().take(xs.id()).unwrap();
        assert_eq!(gradient.to_vec1::<f64>().unwrap(), [2.0]);
        assert_eq!(*told.borrow(), [(false, false, false), (false, true, true), (true, false, false)]);
    }

    #[test]
    fn a_pass_that_fails_leaves_no_tape_behind() {
        assert!(record(|| -> Result<()> { candle_core::bail!("broken") }).is_err());
        assert!(!is_recording(&Device::Cpu));
    }

    #[test]
    fn a_pass_in_the_middle_of_another_has_a_tape_of_its_own() {
        let xs = Var::ones((1, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        let pass = || kernels::activate(&xs, Activation::Relu);
        let steps = record(|| {
            pass()?;
            assert_eq!(record(pass)?.1.steps.len(), 1);
            pass()
        });
        assert_eq!(steps.unwrap().1.steps.len(), 2);
    }

    #[test]
    fn what_has_no_gradient_is_not_noted() {
        let xs = Tensor::ones((1, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        let (ys, tape) = record(|| kernels::activate(&xs, Activation::Relu)).unwrap();
        assert!(!ys.track_op() && tape.steps.is_empty());
    }
}
