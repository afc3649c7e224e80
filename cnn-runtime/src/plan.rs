//! A network as a list of steps for inference: its weights laid out once, and what can be one pass in one.
//!
//! What each step computes is what the graph says of its [stages](crate::spec::Stage). A batch is cut into groups of images whose
//! tensors stay in a core's cache; each goes through the convolutions on one thread, so that threads never wait for each other, unless
//! threads outnumber groups.
//! Dense layers, whose weights outweigh their inputs, take the batch as one again.

use crate::Weights;
use crate::kernels::{self, PreparedConv, PreparedDense};
use crate::layers::{Function, function, weights_of};
use crate::pass::shared;
use crate::spec::{Activation, BatchNormalization, Graph, Layer, Stage};
use candle_core::{Result, Tensor};
use std::ops::Range;

/// What is done, in order, to predict.
pub(crate) struct Plan {
    steps: Vec<Step>,
    outputs: Vec<usize>,
    /// The first step that takes the whole batch: a dense layer, whose input is all that is left of the steps before.
    tail: usize,
    /// Values in the largest tensor of one image, if its size is known.
    largest: Option<usize>,
    /// Multiply-adds of one image, if known.
    macs: Option<u64>,
}

/// One step: the tensors are numbered by the nodes they come from.
struct Step {
    compute: Compute,
    inputs: Vec<usize>,
    output: usize,
    /// The tensors that nothing after this step takes.
    last_uses: Vec<usize>,
}

enum Compute {
    /// An input of the network, by its place among them.
    Input(usize, Function),
    /// A layer, with what its stage adds, if anything, as its last input.
    Layer(Function),
}

impl Plan {
    /// The plan of `graph` with these weights, unless it has a layer of one's own.
    ///
    /// # Errors
    /// If `weights` lacks a tensor of the right shape.
    pub(crate) fn new(graph: &Graph, weights: &Weights) -> Result<Option<Self>> {
        let mut steps = Vec::new();
        let stages = graph.stages();
        for stage in &stages {
            let Some(step) = step(graph, stage, weights)? else { return Ok(None) };
            steps.push(step);
        }
        let mut is_needed = vec![false; graph.nodes.len()];
        graph.outputs.iter().for_each(|output| is_needed[*output] = true);
        for step in steps.iter_mut().rev() {
            let inputs = step.inputs.iter().chain([&step.output]);
            step.last_uses = inputs.copied().filter(|input| !std::mem::replace(&mut is_needed[*input], true)).collect();
        }
        let is_dense = |index: &usize| matches!(graph.nodes[stages[*index].node].layer, Layer::Dense(_));
        let tail = (1..steps.len()).filter(is_dense).find(|index| left_before(&steps, *index) == steps[*index].inputs);
        let tail = tail.unwrap_or(steps.len());
        let (largest, macs) = (graph.largest_tensor(), graph.macs());
        Ok(Some(Self { steps, outputs: graph.outputs.to_vec(), tail, largest, macs }))
    }

    /// The first output for a batch, the only input.
    ///
    /// # Errors
    /// If it is not of the shape that the network was declared for.
    pub(crate) fn predict(&self, xs: &Tensor) -> Result<Tensor> {
        /// Multiply-adds of an image below which a thread does not ask for help, and above which it asks all others, not one.
        const SMALL: u64 = 1 << 20;
        const LARGE: u64 = 1 << 30;
        let batch = xs.dims().first().copied().unwrap_or(0);
        if batch < 2 {
            let run = || Ok(self.run(std::slice::from_ref(xs))?.swap_remove(0));
            return match self.macs {
                Some(..SMALL) => kernels::alone(run),
                Some(SMALL..LARGE) => kernels::in_pairs(run),
                _ if rayon::current_num_threads() == 2 => kernels::in_pairs(run),
                _ => run(),
            };
        }
        self.check(xs)?;
        shared(xs, self.largest, || self.predict_batch(xs, batch))
    }

    fn predict_batch(&self, xs: &Tensor, batch: usize) -> Result<Tensor> {
        let (head, tail) = self.steps.split_at(self.tail);
        let (groups, output) = (self.groups(batch), self.outputs[0]);
        let are_enough = groups.len() >= rayon::current_num_threads();
        let left = tail.first().map_or(output, |step| step.inputs[0]);
        let through_head = |images: Range<usize>| {
            let group = xs.narrow(0, images.start, images.len())?;
            let mut tensors = self.no_tensors();
            let run = || run(head, &[group], &mut tensors);
            if are_enough { kernels::alone(run) } else { run() }?;
            Ok(tensors[left].take().expect("it is kept"))
        };
        let mut parts: Vec<(Range<usize>, Result<Option<Tensor>>)> =
            groups.into_iter().map(|images| (images, Ok(None))).collect();
        kernels::for_each(parts.iter_mut().collect(), |(images, part)| *part = through_head(images.clone()).map(Some));
        let parts = parts.into_iter().map(|(_, part)| Ok(part?.expect("each group has been through")));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        let mut tensors = self.no_tensors();
        tensors[left] = Some(Tensor::cat(&parts, 0)?);
        run(tail, &[], &mut tensors)?;
        Ok(tensors[output].take().expect("an output is kept"))
    }

    /// That a batch has the shape of the first input; it is what messages are about, not the group it is cut into.
    fn check(&self, xs: &Tensor) -> Result<()> {
        self.steps.iter().try_for_each(|step| match &step.compute {
            Compute::Input(0, check) => check(&[xs]).map(drop),
            _ => Ok(()),
        })
    }

    /// The images of each group: as many as have their largest tensor in a fraction of a core's second-level cache, but enough
    /// groups for a few threads to have several, and as many as another. How a layer is computed may follow from how many images it is
    /// given, so this does not from the number of threads: neither do results.
    fn groups(&self, batch: usize) -> Vec<Range<usize>> {
        // Of a 3×3 convolution on vectors, more images share the transformed weights; tiles need room for the pieces of what they multiply.
        let cached_values = if kernels::has_tiles() { 128 * 1024 } else { 192 * 1024 };
        const GROUPS: usize = 8;
        // Kernels that compute many images at once take so many.
        const TILE: usize = 16;
        let cached = self.largest.map_or(1, |largest| cached_values / largest.max(1)).clamp(1, 64);
        let cached = if cached < TILE { cached } else { cached / TILE * TILE };
        let groups = batch.div_ceil(cached).max(GROUPS).next_multiple_of(2);
        let unit = if batch / groups < TILE { 1 } else { TILE };
        let first = |group: usize| (batch.div_ceil(unit) * group / groups * unit).min(batch);
        (0..groups).map(|group| first(group)..first(group + 1)).filter(|images| !images.is_empty()).collect()
    }

    /// Every output, for a batch of each input.
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut tensors = self.no_tensors();
        run(&self.steps, inputs, &mut tensors)?;
        Ok(self.outputs.iter().map(|output| tensors[*output].clone().expect("an output is kept")).collect())
    }

    /// A place for the tensor of every node.
    fn no_tensors(&self) -> Vec<Option<Tensor>> {
        vec![None; self.steps.iter().map(|step| step.output + 1).max().unwrap_or(0)]
    }
}

/// Does some steps, with the tensors of those before.
fn run(steps: &[Step], inputs: &[Tensor], tensors: &mut [Option<Tensor>]) -> Result<()> {
    for step in steps {
        let of = |node: &usize| tensors[*node].as_ref().expect("each step comes after those it takes from");
        let found = match &step.compute {
            Compute::Input(place, check) => check(&[&inputs[*place]]),
            Compute::Layer(function) => function(&step.inputs.iter().map(of).collect::<Vec<_>>()),
        };
        tensors[step.output] = Some(found?);
        step.last_uses.iter().for_each(|node| tensors[*node] = None);
    }
    Ok(())
}

/// The tensors that the steps before `index` leave.
fn left_before(steps: &[Step], index: usize) -> Vec<usize> {
    let before = &steps[..index];
    let is_left = |output: &usize| !before.iter().any(|step| step.last_uses.contains(output));
    before.iter().map(|step| step.output).filter(is_left).collect()
}

fn step(graph: &Graph, stage: &Stage, weights: &Weights) -> Result<Option<Step>> {
    let node = &graph.nodes[stage.node];
    let compute = match node.layer {
        Layer::Input(_) => {
            let place = graph.inputs.iter().position(|input| *input == stage.node).expect("an input of the graph");
            function(graph, stage.node, weights)?.map(|check| Compute::Input(place, check))
        }
        Layer::Model(inner) => nested(inner, &weights_of(node, weights))?.map(Compute::Layer),
        _ => Some(Compute::Layer(match prepared(graph, stage, weights)? {
            Some(function) => function,
            None => match function(graph, stage.node, weights)? {
                Some(function) => function,
                None => return Ok(None),
            },
        })),
    };
    let inputs = node.inputs.iter().copied().chain(stage.add).collect();
    Ok(compute.map(|compute| Step { compute, inputs, output: stage.output, last_uses: Vec::new() }))
}

/// A network within the network.
fn nested(graph: &Graph, weights: &Weights) -> Result<Option<Function>> {
    let Some(plan) = Plan::new(graph, weights)? else { return Ok(None) };
    Ok(Some(Box::new(move |xs| {
        let xs: Vec<Tensor> = xs.iter().map(|xs| (*xs).clone()).collect();
        Ok(plan.run(&xs)?.swap_remove(0))
    })))
}

/// The layer of a stage that has a kernel for inference, and all that goes into its pass.
fn prepared(graph: &Graph, stage: &Stage, weights: &Weights) -> Result<Option<Function>> {
    let layer = graph.nodes[stage.node].layer;
    if !layer.takes_others_along() {
        return Ok(None);
    }
    let (weight, bias) = folded(graph, stage, weights)?;
    // An activation that sees more than one value comes after the pass.
    let (within, after) = match stage.activation.is_elementwise() {
        true => (stage.activation, Activation::Linear),
        false => (Activation::Linear, stage.activation),
    };
    fn function(
        after: Activation,
        forward: impl Fn(&Tensor, Option<&Tensor>) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Result<Option<Function>> {
        Ok(Some(Box::new(move |xs| kernels::activate(&forward(xs[0], xs.get(1).copied())?, after))))
    }
    macro_rules! conv {
        ($spec:expr, $groups:expr) => {{
            let conv = PreparedConv::new($spec.layer, $spec.window, $groups, [weight, bias], within);
            function(after, move |xs, added| conv.forward(xs, added))
        }};
    }
    let filters = bias.len();
    match layer {
        Layer::Conv1D(spec) => conv!(spec.convolution(), spec.groups),
        Layer::Conv2D(spec) => conv!(spec.convolution(), spec.groups),
        Layer::Conv3D(spec) => conv!(spec.convolution(), spec.groups),
        Layer::DepthwiseConv1D(spec) => conv!(spec.convolution(), filters / spec.depth_multiplier),
        Layer::DepthwiseConv2D(spec) => conv!(spec.convolution(), filters / spec.depth_multiplier),
        _ => {
            let dense = PreparedDense::new(weight, bias, within);
            function(after, move |xs, added| dense.forward(xs, added))
        }
    }
}

/// The weights and biases of a stage: with a normalisation, `w·s` and `b·s + beta − mean·s`, where
/// `s = gamma/√(variance + epsilon)`.
fn folded(graph: &Graph, stage: &Stage, weights: &Weights) -> Result<(Vec<f32>, Vec<f32>)> {
    let weight = values(graph, stage.node, "weight", weights)?.expect("a layer that multiplies has a weight");
    let bias = values(graph, stage.node, "bias", weights)?;
    let filters = graph.nodes[stage.node].shape.dims().last().and_then(|dim| dim.known()).expect("channels are known");
    let Some(norm) = stage.norm else { return Ok((weight, bias.unwrap_or_else(|| vec![0.0; filters]))) };
    let Layer::BatchNormalization(BatchNormalization { epsilon, .. }) = graph.nodes[norm].layer else {
        candle_core::bail!("`{}` is no `BatchNormalization`", graph.nodes[norm].name)
    };
    let of = |name| values(graph, norm, name, weights);
    let statistic = |name| Ok::<_, candle_core::Error>(of(name)?.expect("a normalisation has running statistics"));
    let (gamma, beta, mean, variance) = (of("weight")?, of("bias")?, statistic("running_mean")?, statistic("running_var")?);
    let at = |values: &Option<Vec<f32>>, filter: usize, default: f64| {
        values.as_ref().map_or(default, |values| f64::from(values[filter]))
    };
    let (mut folded, mut shift) = (weight, Vec::with_capacity(filters));
    let len = folded.len() / filters;
    for (filter, weight) in folded.chunks_exact_mut(len).enumerate() {
        let scale = at(&gamma, filter, 1.0) / (f64::from(variance[filter]) + epsilon).sqrt();
        weight.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        shift.push(((at(&bias, filter, 0.0) - f64::from(mean[filter])) * scale + at(&beta, filter, 0.0)) as f32);
    }
    Ok((folded, shift))
}

/// The values of a parameter of a node, if it has one of that name.
fn values(graph: &Graph, index: usize, name: &str, weights: &Weights) -> Result<Option<Vec<f32>>> {
    let inferred = graph.inferred(index).map_err(candle_core::Error::wrap)?;
    let parameter = inferred.parameters.as_slice().iter().find(|parameter| parameter.name == name);
    let Some(parameter) = parameter else { return Ok(None) };
    weights_of(&graph.nodes[index], weights).get(parameter)?.flatten_all()?.to_vec1().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_all_images_in_parts_that_hardly_differ() {
        for largest in [None, Some(784), Some(5_408), Some(16_384), Some(1 << 20)] {
            let plan = Plan { steps: Vec::new(), outputs: Vec::new(), tail: 0, largest, macs: None };
            for batch in 1..300 {
                let groups = plan.groups(batch);
                assert!(groups.iter().flat_map(Range::clone).eq(0..batch), "{groups:?}");
                let sizes = || groups.iter().map(Range::len);
                let (least, most) = (sizes().min().unwrap(), sizes().max().unwrap());
                assert!(most - least <= if most < 16 { 1 } else { 16 }, "{groups:?}");
                assert!(most <= (192 * 1024 / largest.unwrap_or(usize::MAX)).clamp(1, 64), "{groups:?}");
            }
        }
    }
}
