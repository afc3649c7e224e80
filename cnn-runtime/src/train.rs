//! Training as Keras has it: `compile`, `fit`, `evaluate`, `predict`, and what they are given and give.

mod compile;
mod constrain;
mod evaluate;
mod fit;
mod history;
mod late;
mod loss;
mod metric;
mod optimizer;
mod predict;
mod progress;
mod step;
mod tally;

pub(crate) use compile::Compiled;
pub use constrain::constrain;
pub use evaluate::Evaluation;
pub use fit::Fit;
pub use history::History;
pub use loss::{Loss, SparseCategoricalCrossentropy};
pub use metric::Metric;
pub use optimizer::{Adam, Optimizer, SGD};
pub use progress::Verbose;

/// The images in a batch where nothing else is said, as in Keras.
const BATCH_SIZE: usize = 32;
