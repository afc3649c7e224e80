//! What a program that declares and trains networks needs: `use cnn_runtime::prelude::*;`.

pub use crate::data::{self, Dataset};
pub use crate::train::Metric::{self, Accuracy};
pub use crate::train::{Adam, Evaluation, Fit, History, Loss, Optimizer, SGD, SparseCategoricalCrossentropy, Verbose};
pub use crate::{Context, Error, Model, Network, Precision, Predictor, Result, Seed, Summary, model};
pub use candle_core::{DType, Device, Tensor};
