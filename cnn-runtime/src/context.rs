//! How a forward pass is to run: for training or inference, and with which random numbers.

use crate::Seed;
use candle_core::Tensor;
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::{AtomicU64, Ordering};

/// What layers need to know about the pass they run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    training: Option<(Seed, u64)>,
    tracked: bool,
    leave_logits: bool,
    last: bool,
}

impl Context {
    /// A pass that predicts: dropout changes nothing, and no graph is kept for gradients.
    pub const fn inference() -> Self {
        Self { training: None, tracked: false, leave_logits: false, last: false }
    }

    /// Training step `step` of a model seeded with `seed`.
    pub const fn training(seed: Seed, step: u64) -> Self {
        Self { training: Some((seed, step)), tracked: true, leave_logits: false, last: false }
    }

    /// The pass of a candle module, whose caller may ask for gradients of its parameters also when it does not train.
    ///
    /// The random numbers of training differ from call to call and, unlike those of
    /// [`Model::fit`](crate::Model), depend on how many calls came before.
    pub fn module(train: bool) -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        if train { Self::training(Seed(0), CALLS.fetch_add(1, Ordering::Relaxed)) } else { Self::inference().tracked() }
    }

    /// The same pass, keeping the graph that gradients of parameters are computed from.
    pub const fn tracked(self) -> Self {
        Self { tracked: true, ..self }
    }

    /// The same pass, but a network that ends in `softmax` gives its logits instead, which a loss is computed from with
    /// less rounding and in one step.
    pub const fn with_logits(self) -> Self {
        Self { leave_logits: true, ..self }
    }

    /// The same pass for the layer that gives the network's output.
    pub const fn last(&self) -> Self {
        Self { last: true, ..*self }
    }

    /// The same pass for a network inside a network whose output other layers take: it gives no logits.
    pub const fn inner(&self) -> Self {
        Self { leave_logits: false, ..*self }
    }

    /// Whether the pass trains.
    pub const fn is_training(&self) -> bool {
        self.training.is_some()
    }

    /// A parameter as this pass sees it: without its history where no gradient is asked for.
    pub(crate) fn parameter(&self, tensor: &Tensor) -> Tensor {
        if self.tracked { tensor.clone() } else { tensor.detach() }
    }

    /// Whether the layer in hand must leave out its closing `softmax`.
    pub(crate) const fn leaves_logits(&self) -> bool {
        self.leave_logits && self.last
    }

    /// The same pass with other random numbers, if it draws any.
    pub(crate) fn reseeded(self, seed: Seed) -> Self {
        Self { training: self.training.map(|(_, step)| (seed, step)), ..self }
    }

    /// The random numbers of the layer called `name` in this step, or `None` when the pass does not train.
    pub fn random(&self, name: &str) -> Option<ChaCha8Rng> {
        self.training.map(|(seed, step)| seed.stream(name, step))
    }
}
