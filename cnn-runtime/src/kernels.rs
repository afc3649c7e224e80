//! The arithmetic of layers: each operation is one function here, whatever device its tensors are on.
//!
//! All are candle operations with backward passes of their own, because candle 0.11.1's are slow, and wrong for pooling.
//! Tensors are channels-last, `N, H, W, C`. Sums that threads share are cut into pieces whose number follows from the
//! shapes alone and are added in a fixed order, so that results do not depend on the number of threads.

mod activation;
mod conv;
mod cross_entropy;
mod dense;
mod depthwise;
mod dot;
mod dropout;
mod few_channels;
mod fill;
mod global_pool;
mod glu;
mod helper;
mod initialize;
mod isa;
mod matmul;
mod memory;
mod merge;
mod noise;
mod norm;
mod norm_batch;
mod norm_group;
mod norm_response;
mod norm_root;
mod op;
mod patches;
mod penalty;
mod pieces;
mod pool;
mod prelu;
mod prepared;
mod real;
mod resample;
mod reshape;
mod share;
mod simd;
mod softmax;
mod sparsemax;
mod tape;
mod tile_conv;
mod tile_matrix;
mod tile_scatter;
mod tile_slab;
mod tiles;
mod transposed;
mod warp;
mod weighted;

pub(crate) use activation::{activate, elu, leaky_relu, relu, softmax, threshold};
pub(crate) use conv::conv;
pub(crate) use cross_entropy::sparse_softmax_cross_entropy;
pub(crate) use dense::dense;
pub(crate) use depthwise::depthwise_conv;
pub(crate) use dot::dot;
pub(crate) use dropout::{alpha_dropout, dropout, dropout_together};
pub(crate) use global_pool::{global_avg_pool, global_max_pool};
pub(crate) use initialize::initialize;
pub(crate) use memory::keep_freed_pages;
pub(crate) use merge::{add, average, concatenate, maximum, minimum, multiply, subtract, sum};
pub(crate) use noise::{gaussian_dropout, gaussian_noise};
pub(crate) use norm_batch::{Moments, batch_norm};
pub(crate) use norm_group::group_norm;
pub(crate) use norm_response::local_response_norm;
pub(crate) use norm_root::{rms_norm, unit_norm};
pub(crate) use penalty::penalty;
pub(crate) use pool::{Pooling, adaptive_pool, pool};
pub(crate) use prelu::prelu;
pub(crate) use prepared::{PreparedConv, PreparedDense};
pub(crate) use resample::{Taps, resample};
pub(crate) use reshape::reshape;
pub(crate) use share::{alone, in_pairs};
pub(crate) use tape::{Gradients, is_recording, record};
pub(crate) use transposed::conv_transpose;
pub(crate) use warp::{Map, Sampling, warp};
