//! A network with its variables: what is trained, evaluated, asked and saved.

use crate::kernels::keep_freed_pages;
use crate::spec::Graph;
use crate::train::Compiled;
use crate::{Context, Network, Precision, Result, Seed, Weights};
use candle_core::{DType, Device, Tensor, Var};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// A network declared with [`model!`](crate::model), with the variables it trains.
///
/// It dereferences to the network, so its layers and its own `forward` are at hand: `model.conv2d.weight`.
pub struct Model<N> {
    pub(crate) network: N,
    pub(crate) state: State,
}

/// All of a model but its network, whose type differs from model to model: what training works on is compiled once.
pub(crate) struct State {
    /// The variables by name, in the order of the layers.
    pub variables: Vec<(String, Var)>,
    pub device: Device,
    pub seed: Seed,
    /// The epochs trained so far, over every call of `fit`.
    pub epoch: u64,
    /// The steps trained so far, over every call of `fit`.
    pub step: u64,
    pub compiled: Option<Compiled>,
    pub precision: Precision,
}

impl<N: Network> Model<N> {
    /// A model on `device` whose every random number, from the first weights on, follows from `seed`.
    ///
    /// # Errors
    /// If the device cannot hold the tensors.
    pub fn new(device: &Device, seed: Seed) -> Result<Self> {
        keep_freed_pages();
        let weights = Weights::fresh(seed, DType::F32, device);
        let network = N::build(&weights)?;
        let order: HashMap<String, usize> = N::GRAPH.parameters().into_iter().map(|(name, _)| name).zip(0..).collect();
        let mut variables = weights.variables();
        variables.sort_by_key(|(name, _)| order.get(name).copied());
        let state =
            State { variables, device: device.clone(), seed, epoch: 0, step: 0, compiled: None, precision: Precision::default() };
        Ok(Self { network, state })
    }
}

impl<N> Model<N> {
    /// The variables and their names in a checkpoint, such as `conv2d.weight`, in the order of the layers.
    pub fn variables(&self) -> &[(String, Var)] {
        &self.state.variables
    }

    /// The device its variables are on.
    pub fn device(&self) -> &Device {
        &self.state.device
    }

    /// Sets how precisely products are computed from now on, in training, evaluation and predictions; see [`Precision`].
    ///
    /// ```
    /// # use cnn_runtime::prelude::*;
    /// # model! { Net { i = Input(8, 8, 1); x = Dense(10, softmax)(Flatten()(i)); } }
    /// let mut model = Net::new(&Device::Cpu, Seed(42))?;
    /// model.set_precision(Precision::Bf16);
    /// # Ok::<(), cnn_runtime::Error>(())
    /// ```
    pub fn set_precision(&mut self, precision: Precision) -> &mut Self {
        self.state.precision = precision;
        self
    }

    /// The seed it was made with.
    pub fn seed(&self) -> Seed {
        self.state.seed
    }
}

/// The network itself: its layers, and its own `forward`.
impl<N> Deref for Model<N> {
    type Target = N;

    fn deref(&self) -> &N {
        &self.network
    }
}

impl<N: Network> fmt::Debug for Model<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} parameters on {:?}", N::GRAPH.name, N::GRAPH.count_params(), self.state.device)
    }
}

/// A network whose type is forgotten, so that what only runs it is compiled once.
pub(crate) trait Forward: Sync {
    fn graph(&self) -> Graph;

    /// Runs a network of one input and one output on a batch.
    fn forward(&self, xs: &Tensor, cx: &Context) -> candle_core::Result<Tensor>;
}

impl<N: Network> Forward for N {
    fn graph(&self) -> Graph {
        N::GRAPH
    }

    fn forward(&self, xs: &Tensor, cx: &Context) -> candle_core::Result<Tensor> {
        match self.call(std::slice::from_ref(xs), cx)?.pop() {
            Some(output) => Ok(output),
            None => candle_core::bail!("`{}` gives no output", N::GRAPH.name),
        }
    }
}

/// A network declared without a name: the value of `model! { i = Input(28, 28, 1); … }`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blueprint<N>(PhantomData<N>);

impl<N: Network> Blueprint<N> {
    /// The declaration of `N`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// A model of this network; see [`Model::new`].
    ///
    /// # Errors
    /// If the device cannot hold the tensors.
    pub fn build(self, device: &Device, seed: Seed) -> Result<Model<N>> {
        Model::new(device, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tiny;

    #[test]
    fn moves_to_another_thread_and_shows_its_network() {
        let model = Model::<Tiny>::new(&Device::Cpu, Seed(1)).unwrap();
        let model = std::thread::spawn(move || model).join().unwrap();
        assert_eq!(model.dense.weight.dims(), [8, 12]);
        assert_eq!(model.seed(), Seed(1));
        assert_eq!(format!("{model:?}"), "Tiny of 131 parameters on Cpu");
        let names: Vec<_> = model.variables().iter().map(|(name, _)| name.as_str()).collect();
        let declared: Vec<_> = Tiny::GRAPH.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, declared);
    }
}
