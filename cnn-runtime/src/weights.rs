//! Where the tensors of a network come from when it is built: a seed, or a candle `VarBuilder`.

use crate::Seed;
use crate::kernels::initialize;
use crate::spec::Parameter;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use std::sync::{Arc, Mutex};

/// A place in the tree of a network's parameters, as candle's `VarBuilder` is.
#[derive(Clone)]
pub struct Weights<'a> {
    source: Source<'a>,
    path: String,
    frozen: bool,
}

#[derive(Clone)]
enum Source<'a> {
    Fresh { seed: Seed, dtype: DType, device: Device, made: Arc<Mutex<Vec<(String, Var)>>> },
    Given(VarBuilder<'a>),
}

impl<'a> Weights<'a> {
    /// Weights drawn from `seed` by each parameter's initializer, in `dtype` on `device`.
    pub fn fresh(seed: Seed, dtype: DType, device: &Device) -> Self {
        let made = Arc::default();
        Self { source: Source::Fresh { seed, dtype, device: device.clone(), made }, path: String::new(), frozen: false }
    }

    /// Weights that `builder` gives: those of a file, or of a `VarMap`.
    pub fn from_var_builder(builder: VarBuilder<'a>) -> Self {
        Self { path: builder.prefix(), source: Source::Given(builder), frozen: false }
    }

    /// The weights under `name`.
    pub fn pp(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        let source = match &self.source {
            Source::Given(builder) => Source::Given(builder.pp(name)),
            fresh => fresh.clone(),
        };
        Self { source, path, frozen: self.frozen }
    }

    /// The same weights, which training is to leave as they are.
    pub fn frozen(self) -> Self {
        Self { frozen: true, ..self }
    }

    /// Whether training is to leave these weights as they are.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// The type of the tensors.
    pub(crate) fn dtype(&self) -> DType {
        match &self.source {
            Source::Fresh { dtype, .. } => *dtype,
            Source::Given(builder) => builder.dtype(),
        }
    }

    /// Where the tensors are.
    pub(crate) fn device(&self) -> &Device {
        match &self.source {
            Source::Fresh { device, .. } => device,
            Source::Given(builder) => builder.device(),
        }
    }

    /// The name of this place, such as `conv2d_1`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tensor of a parameter, in the layout of checkpoints; without a gradient if it is frozen or a statistic.
    ///
    /// # Errors
    /// If the source has no such tensor, or one of another shape.
    pub fn get(&self, parameter: &Parameter) -> Result<Tensor> {
        let tensor = self.tensor(parameter)?;
        Ok(if self.frozen || parameter.is_statistic { tensor.detach() } else { tensor })
    }

    /// A statistic, which the layer itself changes while it trains.
    ///
    /// # Errors
    /// If the source has no such tensor, or one of another shape.
    pub fn statistic(&self, parameter: &Parameter) -> Result<Var> {
        Var::from_tensor(&self.tensor(parameter)?)
    }

    fn tensor(&self, parameter: &Parameter) -> Result<Tensor> {
        match &self.source {
            Source::Given(builder) => builder.get(parameter.dims(), parameter.name),
            Source::Fresh { seed, dtype, device, made } => {
                let name = format!("{}.{}", self.path, parameter.name);
                let values = initialize(parameter, seed.stream(&name, 0));
                let var = Var::from_tensor(&Tensor::from_vec(values, parameter.dims(), device)?.to_dtype(*dtype)?)?;
                let tensor = var.as_tensor().clone();
                made.lock().expect("no thread panics while it adds a variable").push((name, var));
                Ok(tensor)
            }
        }
    }

    /// Every variable made so far, by name, in the order it was made; empty when a `VarBuilder` owns them.
    pub fn variables(&self) -> Vec<(String, Var)> {
        match &self.source {
            Source::Fresh { made, .. } => made.lock().expect("no thread panics while it adds a variable").clone(),
            Source::Given(_) => Vec::new(),
        }
    }
}
