//! The worked examples of lectures on convolution and pooling, with their numbers.

use candle_core::{D, Device, Result, Tensor};
use cnn_runtime::prelude::*;
use cnn_runtime::spec::{self, Graph, Layer, Operand, Shape};
use cnn_runtime::{Context, Weights};
use std::collections::HashMap;

const IMAGE: [[f32; 6]; 6] = [
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.2, 0.8, 0.0, 0.3, 0.6, 0.0],
    [0.2, 0.9, 0.0, 0.3, 0.8, 0.0],
    [0.1, 0.8, 0.7, 0.8, 0.9, 0.0],
    [0.0, 0.0, 0.0, 0.2, 0.8, 0.0],
    [0.2, 0.0, 0.0, 0.2, 0.2, 0.0],
];

fn image() -> Result<Tensor> {
    Tensor::new(&IMAGE, &Device::Cpu)?.reshape((1, 6, 6, 1))
}

/// The one channel of the one image that a network gives, row by row.
fn rows<const N: usize>(output: &Tensor) -> Result<[[f32; N]; N]> {
    let rows = output.squeeze(0)?.squeeze(D::Minus1)?.to_vec2::<f32>()?;
    Ok(std::array::from_fn(|row| std::array::from_fn(|column| rows[row][column])))
}

#[track_caller]
fn assert_close<const N: usize>(found: [[f32; N]; N], expected: [[f32; N]; N]) {
    let is_close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
    assert!(found.as_flattened().iter().zip(expected.as_flattened()).all(is_close), "{found:?}");
}

fn shapes(graph: &Graph) -> Vec<String> {
    graph.nodes.iter().map(|node| node.shape.to_string()).collect()
}

/// What the rule book says of one layer applied to this shape: its output, or why not.
fn apply<const N: usize>(layer: Layer, shape: [usize; N]) -> std::result::Result<String, String> {
    let inferred = layer.infer(&[Operand::new("i", Shape::new(shape))]);
    inferred.map(|inferred| inferred.shape.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_filter_slides_over_an_image() -> Result<()> {
    model! {
        Filter {
            i = Input(6, 6, 1);
            x = Conv2D(1, 3, use_bias=false)(i);
        }
    }
    let kernel = Tensor::new(&[1f32, 0., 1., 0., 1., 0., 1., 0., 1.], &Device::Cpu)?.reshape((1, 1, 3, 3))?;
    let tensors = HashMap::from([("conv2d.weight".to_string(), kernel)]);
    let builder = candle_nn::VarBuilder::from_tensors(tensors, candle_core::DType::F32, &Device::Cpu);
    let filter = Filter::build(&Weights::from_var_builder(builder))?;
    let expected = [[1.0, 1.2, 1.1, 0.9], [1.9, 2.7, 2.5, 1.9], [1.0, 2.1, 2.4, 1.4], [1.0, 1.8, 2.0, 1.8]];
    assert_close(rows(&filter.forward(&image()?, &Context::inference())?)?, expected);
    Ok(())
}

#[test]
fn a_pool_keeps_the_largest() -> Result<()> {
    let pool = model! { i = Input(6, 6, 1); x = MaxPooling2D(3)(i); }.build(&Device::Cpu, Seed(0)).expect("it has no weights");
    assert_close(rows(&pool.forward(&image()?, &Context::inference())?)?, [[0.9, 0.8], [0.8, 0.9]]);
    Ok(())
}

#[test]
fn ten_filters_with_padding_keep_the_size() {
    model! {
        Padded {
            i = Input(32, 32, 3);
            x = Conv2D(10, 5, padding=2)(i);
        }
    }
    assert_eq!(shapes(&Padded::GRAPH), ["32×32×3", "32×32×10"]);
    assert_eq!(Padded::GRAPH.count_params(), 760);
}

#[test]
fn strides_must_fit_the_textbook() {
    let conv = |stride, strict| Layer::Conv2D(spec::Conv2D::new(1, [3, 3]).strides([stride; 2]).strict(strict));
    assert_eq!(apply(conv(1, true), [7, 7, 1]), Ok("5×5×1".into()));
    assert_eq!(apply(conv(2, true), [7, 7, 1]), Ok("3×3×1".into()));
    let refusal = apply(conv(3, true), [7, 7, 1]).unwrap_err();
    assert!(refusal.contains("(7 + 2·0 − 3)/3 + 1 = 2.33"), "{refusal}");
    assert_eq!(apply(conv(3, false), [7, 7, 1]), Ok("2×2×1".into()));
}

#[test]
fn a_wide_convolution_is_longer_than_its_input_and_a_narrow_one_shorter() {
    model! {
        Widths {
            i = Input(7, 1);
            narrow = Conv1D(1, 5, valid)(i);
            wide = Conv1D(1, 5, padding=full)(i);
            Model(i, [narrow, wide])
        }
    }
    assert_eq!(shapes(&Widths::GRAPH), ["7×1", "3×1", "11×1"]);
}

#[test]
fn flattening_depends_on_the_size_of_the_image_and_global_pooling_does_not() {
    model! {
        block halved()(x) {
            MaxPooling2D(2)(Conv2D(100, 3, same, relu)(x))
        }

        Small {
            i = Input(32, 32, 3);
            x = i;
            for _ in 0..4 {
                x = halved()(x);
            }
            flat = Flatten()(x);
            x = GlobalMaxPooling2D()(x);
            Model(i, [flat, x])
        }

        Large {
            i = Input(64, 64, 3);
            x = i;
            for _ in 0..4 {
                x = halved()(x);
            }
            flat = Flatten()(x);
            x = GlobalMaxPooling2D()(x);
            Model(i, [flat, x])
        }
    }
    let pooled = |graph: &Graph| {
        let pools = graph.nodes.iter().filter(|node| node.layer.name() == "MaxPooling2D");
        pools.map(|node| node.shape.to_string()).collect::<Vec<_>>()
    };
    let ends = |graph: &Graph| graph.outputs.iter().map(|node| graph.nodes[*node].shape.to_string()).collect::<Vec<_>>();
    assert_eq!(pooled(&Small::GRAPH), ["16×16×100", "8×8×100", "4×4×100", "2×2×100"]);
    assert_eq!(pooled(&Large::GRAPH), ["32×32×100", "16×16×100", "8×8×100", "4×4×100"]);
    assert_eq!(ends(&Small::GRAPH), ["400", "100"]);
    assert_eq!(ends(&Large::GRAPH), ["1600", "100"]);
}

#[test]
fn an_image_of_two_pixels_cannot_be_halved_four_times() {
    let halve = Layer::MaxPooling2D(spec::MaxPooling2D::new());
    assert_eq!(apply(halve, [2, 2, 8]), Ok("1×1×8".into()));
    assert!(apply(halve, [1, 1, 8]).unwrap_err().starts_with("window 2×2 does not fit the 1×1 image `i`"));
}

/// A picture of one bright line.
fn line(is_bright: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
    Tensor::from_iter((0..81).map(|i| f32::from(u8::from(is_bright(i / 9, i % 9)))), &Device::Cpu)?.reshape((1, 9, 9, 1))
}

#[test]
fn each_line_detector_answers_to_its_line_most() -> Result<()> {
    model! {
        Detector {
            i = Input(9, 9, 1);
            x = Conv2D(4, 3, kernel=kernels::LINES, frozen)(i);
            x = GlobalMaxPooling2D()(x);
        }
    }
    assert_eq!(Detector::GRAPH.count_trained(), 0);
    let detector = Detector::new(&Device::Cpu, Seed(1)).expect("a small network");
    let lines = [line(|y, _| y == 4)?, line(|_, x| x == 4)?, line(|y, x| x + y == 8)?, line(|y, x| x == y)?];
    for (index, line) in lines.iter().enumerate() {
        let answers = detector.forward(line, &Context::inference())?.squeeze(0)?;
        assert_eq!(answers.argmax(0)?.to_scalar::<u32>()?, index as u32, "{answers}");
        assert_eq!(answers.get(index)?.to_scalar::<f32>()?, 6.0);
    }
    Ok(())
}

#[test]
fn a_blurred_colour_is_the_same_colour() -> Result<()> {
    let blur = model! { i = Input(5, 5, 3); x = DepthwiseConv2D(3, kernel=kernels::BLUR, frozen)(i); };
    let grey = model! { i = Input(5, 5, 3); x = Conv2D(1, 3, kernel=kernels::SHARPEN, frozen)(i); };
    let colour = Tensor::new(&[0.3f32, 0.6, 0.9], &Device::Cpu)?.broadcast_as((1, 5, 5, 3))?.contiguous()?;
    let (blur, grey) = (blur.build(&Device::Cpu, Seed(1)), grey.build(&Device::Cpu, Seed(1)));
    let blurred = blur.expect("small").forward(&colour, &Context::inference())?;
    let difference = (blurred - colour.narrow(1, 0, 3)?.narrow(2, 0, 3)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(difference < 1e-6, "{difference}");
    let sharp = grey.expect("small").forward(&colour, &Context::inference())?;
    assert!((sharp.mean_all()?.to_scalar::<f32>()? - 0.6).abs() < 1e-6, "{sharp}");
    Ok(())
}
