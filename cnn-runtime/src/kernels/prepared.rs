//! Convolutions and dense layers for inference alone, whose weights are laid out once.

use super::conv::Conv;
use super::direct::{self, Direct};
use super::factor::Pair;
use super::few_rows::{self, Columns};
use super::gathered::{self, Packed};
use super::grouped::Grouped;
use super::matmul::{Into, Matrix, Threads, matmul};
use super::op::with_slices;
use super::patches::Geometry;
use super::tile_conv::TileConv;
use super::tile_matrix::{Right, columns, fills, product};
use super::weighted::Ending;
use super::winograd::{self, Winograd};
use crate::Precision;
use crate::spec::{Activation, Sliding};
use candle_core::{Result, Tensor};
use std::sync::OnceLock;

/// Channels below which products of pairs take less time than fewer in `f32`, as measured on Zen 4 and Zen 5.
const FEW_CHANNELS: usize = 32;

/// A convolution of inputs of some sizes, and how it is computed.
struct Resolved<const N: usize> {
    dims: Vec<usize>,
    conv: Conv<N>,
    way: Way<N>,
}

/// How a convolution is computed.
enum Way<const N: usize> {
    Grouped(Grouped<N>),
    FewRows,
    Tiles(TileConv),
    Winograd(Winograd),
    Vectors(Direct),
    Patches,
}

/// A convolution.
pub(crate) struct PreparedConv<const N: usize> {
    layer: &'static str,
    window: Sliding<N>,
    groups: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
    precision: Precision,
    /// For inputs of the sizes that came first, which is worth its while where they are single images.
    first: OnceLock<Resolved<N>>,
    /// The weights as each way of computing takes them, laid out when it is first used.
    for_groups: OnceLock<Vec<f32>>,
    for_tiles: OnceLock<Right>,
    for_vectors: OnceLock<direct::Weights>,
    for_winograd: OnceLock<winograd::Weights>,
    for_patches: OnceLock<Vec<f32>>,
    for_few_rows: OnceLock<Columns>,
}

impl<const N: usize> PreparedConv<N> {
    /// The convolution with weights `F, C / groups, KH, KW` for images and biases `F`, which ends in an elementwise `activation`.
    pub(crate) fn new(
        layer: &'static str,
        window: Sliding<N>,
        groups: usize,
        [weight, bias]: [Vec<f32>; 2],
        activation: Activation,
    ) -> Self {
        Self {
            layer,
            window,
            groups,
            weight,
            bias,
            activation,
            precision: Precision::current(),
            first: OnceLock::new(),
            for_groups: OnceLock::new(),
            for_tiles: OnceLock::new(),
            for_vectors: OnceLock::new(),
            for_winograd: OnceLock::new(),
            for_patches: OnceLock::new(),
            for_few_rows: OnceLock::new(),
        }
    }

    /// `activation(conv(xs) + bias + added)` of `xs`, `N, H, W, C` for images.
    ///
    /// # Errors
    /// If the tensors are not of the shapes that the layer was declared for.
    pub(crate) fn forward(&self, xs: &Tensor, added: Option<&Tensor>) -> Result<Tensor> {
        let others;
        let Resolved { conv, way, .. } = match self.first.get() {
            Some(first) if first.dims == xs.dims() => first,
            // Another thread may come first, with inputs of other sizes.
            _ => match self.first.set(self.resolved(xs.dims())?) {
                Ok(()) => self.first.get().expect("it has just been set"),
                Err(resolved) => {
                    others = resolved;
                    &others
                }
            },
        };
        let compute = |xs: &[f32], added: Option<&[f32]>| {
            let ending = Ending { bias: Some(&self.bias), added, activation: self.activation, ..Ending::default() };
            match way {
                Way::Grouped(grouped) => {
                    grouped.forward(xs, laid_out::<Vec<f32>>(&self.for_groups, || grouped.weights(&self.weight)), ending)
                }
                Way::FewRows => {
                    let columns = laid_out(&self.for_few_rows, || {
                        let (packed, filters) = (conv.pack(&self.weight), conv.filters);
                        Columns::pack([conv.patch_len(), filters], |at, filter| packed[at * filters + filter])
                    });
                    let rows = conv.geometry.batch * conv.geometry.pixels();
                    columns.product(conv.patches(xs, 0..rows, 0, &mut Vec::new()), ending)
                }
                Way::Tiles(tiled) => tiled.forward(xs, laid_out(&self.for_tiles, || tiled.right(&self.weight).pack()), ending),
                Way::Winograd(winograd) => {
                    winograd.compute(xs, laid_out(&self.for_winograd, || winograd.weights(&self.weight)), ending)
                }
                Way::Vectors(direct) => direct.compute(xs, laid_out(&self.for_vectors, || direct.right(&self.weight)), ending),
                Way::Patches => {
                    conv.forward_by_patches(xs, laid_out::<Vec<f32>>(&self.for_patches, || conv.pack(&self.weight)), ending)
                }
            }
        };
        let ys = apply(self.layer, xs, added, compute)?;
        Tensor::from_vec(ys, conv.geometry.output_shape(conv.filters), xs.device())
    }

    /// The convolution of inputs of these sizes.
    ///
    /// # Errors
    /// If they are not what the layer was declared for.
    fn resolved(&self, dims: &[usize]) -> Result<Resolved<N>> {
        let geometry = Geometry::new(self.layer, dims, &self.window)?;
        let (filters, groups) = (self.bias.len(), self.groups);
        let conv = Conv { geometry, filters, groups, ends_in: self.activation, precision: self.precision };
        if geometry.channels % groups != 0 || conv.patch_len() * filters != self.weight.len() {
            candle_core::bail!("`{}` was prepared for other than {} channels", self.layer, geometry.channels)
        }
        // Of few channels, all products, of rounded numbers in pairs, take less time than a quarter of them in `f32`; in training, they do not.
        let prefers_pairs = Pair::serve(self.precision) && conv.filters.min(geometry.channels) < FEW_CHANNELS;
        let way = if let Some(grouped) = conv.grouped() {
            Way::Grouped(grouped)
        } else if groups == 1 && geometry.batch * geometry.pixels() <= few_rows::ROWS && self.precision != Precision::Bf16 {
            Way::FewRows
        } else if let Some(tiled) = conv.on_tiles() {
            Way::Tiles(tiled)
        } else if let Some(winograd) = conv.winograd().filter(|_| !prefers_pairs) {
            Way::Winograd(winograd)
        } else {
            conv.direct().map_or(Way::Patches, Way::Vectors)
        };
        Ok(Resolved { dims: dims.to_vec(), conv, way })
    }
}

/// A fully connected layer.
pub(crate) struct PreparedDense {
    units: usize,
    features: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
    precision: Precision,
    for_tiles: OnceLock<Right>,
    for_vectors: OnceLock<Packed>,
    for_few_rows: OnceLock<Columns>,
}

impl PreparedDense {
    /// The layer with weights `U, F` and biases `U`, which ends in an elementwise `activation`.
    pub(crate) fn new(weight: Vec<f32>, bias: Vec<f32>, activation: Activation) -> Self {
        let units = bias.len();
        let (features, precision) = (weight.len() / units, Precision::current());
        let (for_tiles, for_vectors, for_few_rows) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { units, features, weight, bias, activation, precision, for_tiles, for_vectors, for_few_rows }
    }

    /// `activation(xs·weightᵀ + bias + added)` of `xs`, `N, F`.
    ///
    /// # Errors
    /// If `xs` is of another shape.
    pub(crate) fn forward(&self, xs: &Tensor, added: Option<&Tensor>) -> Result<Tensor> {
        let &Self { units, features, .. } = self;
        let batch = match xs.dims() {
            &[batch, found] if found == features => batch,
            other => candle_core::bail!("`Dense` takes a batch of N×{features}, found {other:?}"),
        };
        let compute = |xs: &[f32], added: Option<&[f32]>| {
            let right = || columns(self.precision, &self.weight, features).pack();
            let ending = Ending { bias: Some(&self.bias), added, activation: self.activation, ..Ending::default() };
            if batch <= few_rows::ROWS {
                let at = |feature: usize, unit: usize| self.weight[unit * features + feature];
                return laid_out(&self.for_few_rows, || Columns::pack([features, units], at)).product(xs, ending);
            }
            if fills(batch, features) {
                return product(xs, features, laid_out(&self.for_tiles, right), ending);
            }
            if gathered::pays(units) {
                let packed = || Packed::of_columns(self.precision, &self.weight, [features, units]);
                return laid_out(&self.for_vectors, packed).product([batch, features], xs, ending);
            }
            let mut ys = vec![0.0; batch * units];
            let weight = Matrix::new(&self.weight, units, features).transposed();
            matmul(&mut ys, units, Into::Replace, Matrix::new(xs, batch, features), weight, Threads::All);
            ending.finish(&mut ys, units, 0);
            ys
        };
        Tensor::from_vec(apply("Dense", xs, added, compute)?, (batch, units), xs.device())
    }
}

/// The weights as one way of computing takes them, laid out by `work` if they are not yet.
///
/// Not within the cell: threads share the work, and while this one waits for others it may be asked for the same weights.
fn laid_out<T>(cell: &OnceLock<T>, work: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(weights) => weights,
        None => {
            let weights = work();
            cell.get_or_init(|| weights)
        }
    }
}

/// Calls `compute` with the values of `xs` and of what is added.
fn apply(
    name: &str,
    xs: &Tensor,
    added: Option<&Tensor>,
    compute: impl Fn(&[f32], Option<&[f32]>) -> Vec<f32>,
) -> Result<Vec<f32>> {
    let xs = xs.contiguous()?;
    match added {
        Some(added) => with_slices([&xs, &added.contiguous()?], name, |[xs, added]| compute(xs, Some(added))),
        None => with_slices([&xs], name, |[xs]| compute(xs, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Gpu;
    use crate::spec::Conv2D;
    use crate::testing::numbers;
    use candle_core::Device;
    use std::sync::Barrier;
    use std::thread::scope;

    #[test]
    fn threads_that_come_first_with_other_sizes_do_not_mix() {
        if Gpu::of(&Device::Cpu).is_some() {
            return;
        }
        let conv = Conv2D::new(16, [3, 3]).convolution();
        let weight = numbers::<f32>(16 * 8 * 9, 1);
        for _ in 0..500 {
            let weights = [weight.clone(), vec![0.0; 16]];
            let prepared = PreparedConv::new(conv.layer, conv.window, 1, weights, Activation::Relu);
            let (prepared, barrier) = (&prepared, &Barrier::new(2));
            scope(|scope| {
                for batch in [2, 3] {
                    scope.spawn(move || {
                        let xs =
                            Tensor::from_vec(numbers::<f32>(batch * 10 * 10 * 8, 2), (batch, 10, 10, 8), &Device::Cpu).unwrap();
                        barrier.wait();
                        assert_eq!(prepared.forward(&xs, None).unwrap().dims(), [batch, 8, 8, 16]);
                    });
                }
            });
        }
    }
}
