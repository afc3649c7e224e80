//! The cases of convolutions other than `Conv2D`: over one and three axes, transposed, depthwise and separable.

use super::Case;
use cnn_runtime::spec::layers::*;
use cnn_runtime::spec::{self, Layer, Padding};

/// Paddings of `N` axes, the last of them of its own for each side.
fn paddings<const N: usize>() -> [Padding<N>; 4] {
    [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[1, 0]; N])]
}

/// Every pair of padding and strides from 1 to 3, on batches of 1 and 3 in turn.
fn grid<const N: usize>(sizes: &[usize], layer: impl Fn(Padding<N>, [usize; N]) -> Layer) -> Vec<Case> {
    let pairs = paddings().into_iter().flat_map(|padding| [1, 2, 3].map(|stride| (padding, [stride; N])));
    let mut batches = [1, 3].iter().cycle();
    let mut batch = || [&[*batches.next().expect("a cycle")], sizes].concat();
    pairs.map(|(padding, strides)| (layer(padding, strides), batch())).collect()
}

pub fn conv1d() -> Vec<Case> {
    let conv = Conv1D::new(2, [3]);
    let mut cases = grid(&[7, 2], |padding, strides| Layer::Conv1D(conv.padding(padding).strides(strides)));
    let causal = conv.padding(Padding::Causal);
    let four = Conv1D::new(4, [2]);
    let more = [
        causal,
        causal.strides([2]).dilation_rate([3]),
        four.groups(2).dilation_rate([2]),
        four.groups(4).padding(Padding::Same),
        Conv1D { filters: 8, ..four.groups(4).strides([2]) },
        four.use_bias(false).activation(spec::Activation::Gelu),
    ];
    cases.extend(more.map(|layer| (Layer::Conv1D(layer), vec![3, 6, 4])));
    cases
}

pub fn conv3d() -> Vec<Case> {
    let conv = Conv3D::new(2, [2, 3, 1]);
    let mut cases = grid(&[3, 4, 2, 2], |padding, strides| Layer::Conv3D(conv.padding(padding).strides(strides)));
    let four = Conv3D::new(4, [2, 2, 2]);
    let more = [
        four.dilation_rate([1, 2, 1]).strides([2, 1, 1]),
        four.groups(2).padding(Padding::Same),
        four.groups(4).strides([1, 2, 1]),
        Conv3D::new(3, [1, 1, 1]).activation(spec::Activation::Tanh),
    ];
    cases.extend(more.map(|layer| (Layer::Conv3D(layer), vec![1, 3, 4, 2, 4])));
    cases
}

pub fn conv1d_transpose() -> Vec<Case> {
    let conv = Conv1DTranspose::new(3, [3]);
    let mut cases = grid(&[4, 2], |padding, strides| Layer::Conv1DTranspose(conv.padding(padding).strides(strides)));
    let more = [
        conv.strides([3]).output_padding(Some([2])),
        conv.strides([3]).padding(Padding::Same).output_padding(Some([1])),
        conv.dilation_rate([2]).strides([2]).padding(Padding::Same),
        Conv1DTranspose::new(2, [1]).use_bias(false).activation(spec::Activation::Gelu),
    ];
    cases.extend(more.map(|layer| (Layer::Conv1DTranspose(layer), vec![3, 4, 2])));
    cases
}

pub fn conv2d_transpose() -> Vec<Case> {
    let conv = Conv2DTranspose::new(2, [3, 2]);
    let mut cases = grid(&[3, 2, 2], |padding, strides| Layer::Conv2DTranspose(conv.padding(padding).strides(strides)));
    let more = [
        conv.strides([2, 3]).output_padding(Some([1, 2])),
        conv.strides([2, 3]).padding(Padding::Same).dilation_rate([1, 2]),
        Conv2DTranspose::new(3, [1, 1]).activation(spec::Activation::Sigmoid),
        conv.strides([2, 2]).use_bias(false).activation(spec::Activation::Gelu),
    ];
    cases.extend(more.map(|layer| (Layer::Conv2DTranspose(layer), vec![3, 2, 3, 2])));
    cases
}

pub fn conv3d_transpose() -> Vec<Case> {
    let conv = Conv3DTranspose::new(2, [2, 1, 3]);
    let mut cases = grid(&[2, 2, 3, 1], |padding, strides| {
        let padding = if let Padding::Explicit(_) = padding { Padding::Explicit([[1, 0], [0, 0], [1, 1]]) } else { padding };
        Layer::Conv3DTranspose(conv.padding(padding).strides(strides))
    });
    let more = conv.strides([2, 1, 3]).output_padding(Some([1, 0, 2])).dilation_rate([1, 1, 2]);
    cases.push((Layer::Conv3DTranspose(more), vec![3, 2, 1, 2, 2]));
    cases
}

pub fn depthwise_conv1d() -> Vec<Case> {
    let conv = DepthwiseConv1D::new([3]);
    let mut cases = grid(&[7, 3], |padding, strides| Layer::DepthwiseConv1D(conv.padding(padding).strides(strides)));
    let more = [
        conv.depth_multiplier(3).padding(Padding::Causal).dilation_rate([2]),
        conv.depth_multiplier(2).use_bias(false).activation(spec::Activation::Gelu),
    ];
    cases.extend(more.map(|layer| (Layer::DepthwiseConv1D(layer), vec![3, 6, 2])));
    cases
}

pub fn depthwise_conv2d() -> Vec<Case> {
    let conv = DepthwiseConv2D::new([3, 2]);
    let mut cases = grid(&[5, 4, 2], |padding, strides| Layer::DepthwiseConv2D(conv.padding(padding).strides(strides)));
    let more = [
        conv.depth_multiplier(2).dilation_rate([1, 2]).strides([2, 1]),
        conv.depth_multiplier(3).padding(Padding::Same).activation(spec::Activation::Sigmoid),
        conv.use_bias(false).activation(spec::Activation::Gelu),
    ];
    cases.extend(more.map(|layer| (Layer::DepthwiseConv2D(layer), vec![3, 4, 3, 2])));
    // More channels than are summed at a time, and some that remain.
    cases.push((Layer::DepthwiseConv2D(conv), vec![1, 4, 3, 37]));
    cases
}

pub fn separable_conv1d() -> Vec<Case> {
    let conv = SeparableConv1D::new(3, [3]).depth_multiplier(2);
    let mut cases = grid(&[5, 2], |padding, strides| Layer::SeparableConv1D(conv.padding(padding).strides(strides)));
    let gelu = conv.padding(Padding::Causal).activation(spec::Activation::Gelu);
    cases.push((Layer::SeparableConv1D(gelu.use_bias(false)), vec![3, 4, 3]));
    cases
}

pub fn separable_conv2d() -> Vec<Case> {
    let conv = SeparableConv2D::new(3, [2, 3]);
    let mut cases = grid(&[4, 3, 2], |padding, strides| Layer::SeparableConv2D(conv.padding(padding).strides(strides)));
    let more = [conv.depth_multiplier(2).dilation_rate([2, 1]), conv.use_bias(false).activation(spec::Activation::Gelu)];
    cases.extend(more.map(|layer| (Layer::SeparableConv2D(layer), vec![3, 4, 4, 2])));
    cases
}
