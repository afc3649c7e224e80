//! Images a second in training and inference, of this crate's networks and of the same networks in candle's own layers.
//!
//! `cargo run --release --example throughput -- --model lecture --mode train --batch 128 --seconds 3` prints one line of JSON:
//! the median over chunks of about a quarter of a second, after a warm-up. A training step is forward, backward, update and
//! reading the loss, on a GPU one of `fit`, which reads losses late; inputs are standard-normal, the labels are 0 to 9 in turn. `--mode first` makes one prediction instead and
//! tells how long after the start of `main` it was there. `benches/compare.py` runs all this beside other frameworks.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use cnn_runtime::candle_nn::{self, Module, Optimizer as _, VarBuilder, VarMap};
use cnn_runtime::prelude::*;
use cnn_runtime::zoo;
use std::path::PathBuf;
use std::time::{Duration, Instant};

model! {
    /// Fashion-MNIST's, without dropout.
    pub Lecture {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2, relu)(i);
        x = Conv2D(64, 3, stride=2, relu)(x);
        x = Conv2D(128, 3, stride=2, relu)(x);
        x = Flatten()(x);
        x = Dense(512, relu)(x);
        x = Dense(10, softmax)(x);
    }
}

model! {
    /// Three stages of two convolutions and a pooling layer.
    pub Vgg {
        i = Input(32, 32, 3);
        x = Conv2D(32, 3, same, relu)(i);
        x = Conv2D(32, 3, same, relu)(x);
        x = MaxPooling2D(2)(x);
        x = Conv2D(64, 3, same, relu)(x);
        x = Conv2D(64, 3, same, relu)(x);
        x = MaxPooling2D(2)(x);
        x = Conv2D(128, 3, same, relu)(x);
        x = Conv2D(128, 3, same, relu)(x);
        x = MaxPooling2D(2)(x);
        x = Flatten()(x);
        x = Dense(256, relu)(x);
        x = Dense(10, softmax)(x);
    }
}

model! {
    block conv(filters, kernel, stride = 1)(x) {
        x = Conv2D(filters, kernel, stride=stride, same, use_bias=false)(x);
        BatchNormalization()(x)
    }

    block basic(filters, stride = 1, project = false)(x) {
        y = ReLU()(conv(filters, 3, stride=stride)(x));
        y = conv(filters, 3)(y);
        if project {
            x = conv(filters, 1, stride=stride)(x);
        }
        ReLU()(y + x)
    }

    /// He et al.'s residual network of 20 layers for small images (2016), with 1×1 projections.
    pub ResNet20 {
        i = Input(32, 32, 3);
        x = ReLU()(conv(16, 3)(i));
        for _ in 0..3 {
            x = basic(16)(x);
        }
        for filters in [32, 64] {
            x = basic(filters, stride=2, project)(x);
            x = basic(filters)(x);
            x = basic(filters)(x);
        }
        x = GlobalAveragePooling2D()(x);
        x = Dense(10, softmax)(x);
    }
}

model! {
    block conv(filters, kernel, stride = 1, groups = 1)(x) {
        x = Conv2D(filters, kernel, stride=stride, same, groups=groups, use_bias=false)(x);
        BatchNormalization()(x)
    }

    block separable(filters, stride = 1)(x) {
        x = DepthwiseConv2D(3, stride=stride, same, use_bias=false)(x);
        x = ReLU()(BatchNormalization()(x));
        ReLU()(conv(filters, 1)(x))
    }

    block grouped(filters, groups)(x) {
        y = ReLU()(conv(filters, 1)(x));
        y = ReLU()(conv(filters, 3, groups=groups)(y));
        y = conv(2 * filters, 1)(y);
        ReLU()(y + x)
    }

    /// Depthwise separable convolutions, as of Howard et al.'s MobileNet (2017).
    pub Mobile {
        i = Input(32, 32, 3);
        x = ReLU()(conv(32, 3)(i));
        for (filters, stride) in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1)] {
            x = separable(filters, stride=stride)(x);
        }
        x = GlobalAveragePooling2D()(x);
        x = Dense(10, softmax)(x);
    }

    /// Bottlenecks of grouped convolutions, as of Xie et al.'s ResNeXt (2017), three of groups of 4 channels and one of groups of 16.
    pub ResNeXt {
        i = Input(32, 32, 3);
        x = ReLU()(conv(128, 3)(i));
        x = grouped(64, 16)(x);
        x = MaxPooling2D(2)(x);
        x = grouped(64, 16)(x);
        x = grouped(64, 16)(x);
        x = MaxPooling2D(2)(x);
        x = grouped(64, 4)(x);
        x = GlobalAveragePooling2D()(x);
        x = Dense(10, softmax)(x);
    }
}

model! {
    /// Three convolutions over volumes, each with a pooling layer.
    pub Volumes {
        i = Input(16, 32, 32, 3);
        x = i;
        for filters in [16, 32, 64] {
            x = Conv3D(filters, 3, same, relu)(x);
            x = MaxPooling3D(2)(x);
        }
        x = Flatten()(x);
        x = Dense(10, softmax)(x);
    }
}

/// Measure images a second
#[derive(Parser)]
struct Arguments {
    /// Whose layers
    #[arg(long, value_enum, default_value_t = Framework::Cnn)]
    framework: Framework,

    /// Which network
    #[arg(long, value_enum)]
    model: Yardstick,

    /// What is measured
    #[arg(long, value_enum)]
    mode: Mode,

    /// How precisely products are computed
    #[arg(long, value_enum, default_value_t = Products::F32)]
    precision: Products,

    /// What it is computed on [default: a GPU if the program is built for one]
    #[arg(long, value_enum)]
    device: Option<Processor>,

    /// Images in a batch [default: 128 for lecture and resnet20, 64 for the others]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    /// How long to measure
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,

    /// A checkpoint that training begins with writing and that predictions load
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Framework {
    Cnn,
    Candle,
}

#[derive(Clone, Copy, ValueEnum)]
enum Processor {
    Cpu,
    Cuda,
}

#[derive(Clone, Copy, ValueEnum)]
enum Products {
    F32,
    Tf32,
    Bf16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Yardstick {
    Lecture,
    Vgg,
    #[value(name = "resnet20")]
    ResNet20,
    /// The zoo's, of 224×224 images
    #[value(name = "resnet50")]
    ResNet50,
    Mobile,
    #[value(name = "resnext")]
    ResNeXt,
    Volumes,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Mode {
    /// Training steps
    Train,
    /// Predictions
    Infer,
    /// The first prediction of this process
    First,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn main() -> Result<()> {
    let start = Instant::now();
    let arguments = Arguments::parse();
    let (default_batch, shape): (u32, &[usize]) = match arguments.model {
        Yardstick::Lecture => (128, &[28, 28, 1]),
        Yardstick::Vgg | Yardstick::Mobile | Yardstick::ResNeXt => (64, &[32, 32, 3]),
        Yardstick::ResNet20 => (128, &[32, 32, 3]),
        Yardstick::ResNet50 => (64, &[224, 224, 3]),
        Yardstick::Volumes => (64, &[16, 32, 32, 3]),
    };
    let default_batch = if arguments.mode == Mode::First { 1 } else { default_batch };
    let batch = arguments.batch.unwrap_or(default_batch) as usize;
    let device = match arguments.device {
        None => Device::cuda_if_available(0)?,
        Some(Processor::Cpu) => Device::Cpu,
        Some(Processor::Cuda) => Device::new_cuda(0)?,
    };
    let images = Tensor::randn(0f32, 1., [&[batch], shape].concat(), &device)?;
    let labels = Tensor::from_iter((0..batch as u32).map(|index| index % 10), &device)?;

    let mut step = match (arguments.framework, arguments.model) {
        (Framework::Cnn, Yardstick::Lecture) => ours(Lecture::new(&device, Seed(42))?, &arguments, images, labels)?,
        (Framework::Cnn, Yardstick::Vgg) => ours(Vgg::new(&device, Seed(42))?, &arguments, images, labels)?,
        (Framework::Cnn, Yardstick::ResNet20) => ours(ResNet20::new(&device, Seed(42))?, &arguments, images, labels)?,
        (Framework::Cnn, Yardstick::ResNet50) => ours(zoo::ResNet50::new(&device, Seed(42))?, &arguments, images, labels)?,
        (Framework::Cnn, Yardstick::Mobile) => ours(Mobile::new(&device, Seed(42))?, &arguments, images, labels)?,
        (Framework::Cnn, Yardstick::ResNeXt) => ours(ResNeXt::new(&device, Seed(42))?, &arguments, images, labels)?,
        (Framework::Cnn, Yardstick::Volumes) => ours(Volumes::new(&device, Seed(42))?, &arguments, images, labels)?,
        (Framework::Candle, Yardstick::Lecture) => candles(lecture_in_candle, &arguments, images, labels)?,
        (Framework::Candle, Yardstick::Vgg) => candles(vgg_in_candle, &arguments, images, labels)?,
        (Framework::Candle, _) => refuse("of candle's own layers only `lecture` and `vgg` are written here"),
    };
    let measured = if arguments.mode == Mode::First {
        step()?;
        format!(r#""milliseconds":{:.2}"#, start.elapsed().as_secs_f64() * 1e3)
    } else {
        let is_fit = device.is_cuda() && arguments.framework == Framework::Cnn && arguments.mode == Mode::Train;
        let images = if is_fit { batch * STEPS * EPOCHS } else { batch };
        format!(r#""images_per_second":{:.1}"#, measure(step, images, arguments.seconds)?)
    };
    println!(
        r#"{{"framework":"{}","model":"{}","mode":"{}","batch":{batch},{measured}}}"#,
        name(arguments.framework),
        name(arguments.model),
        name(arguments.mode),
    );
    Ok(())
}

fn refuse(why: &str) -> ! {
    Arguments::command().error(ErrorKind::ValueValidation, why).exit()
}

fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().expect("no value is hidden").get_name().to_string()
}

type Step = Box<dyn FnMut() -> Result<()>>;

/// The steps of an epoch, where steps are those of `fit`.
const STEPS: usize = 25;
/// The epochs of one call of `fit`.
const EPOCHS: usize = 4;

/// The median of images a second over chunks of about a quarter of a second, after a warm-up; each step is of so many images.
fn measure(mut step: Step, batch: usize, length: Duration) -> Result<f64> {
    let start = Instant::now();
    let mut steps = 0;
    while steps < 3 || start.elapsed() < length.min(Duration::from_secs(2)) {
        step()?;
        steps += 1;
    }
    let start = Instant::now();
    step()?;
    let per_chunk = (0.25 / start.elapsed().as_secs_f64()).max(1.) as usize;
    let mut rates = Vec::new();
    let end = Instant::now() + length;
    while Instant::now() < end || rates.len() < 3 {
        let start = Instant::now();
        for _ in 0..per_chunk {
            step()?;
        }
        rates.push((per_chunk * batch) as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[rates.len() / 2])
}

/// One step of a network of this crate.
fn ours<N: Network>(mut model: Model<N>, arguments: &Arguments, images: Tensor, labels: Tensor) -> Result<Step> {
    model.set_precision(match arguments.precision {
        Products::F32 => Precision::F32,
        Products::Tf32 => Precision::Tf32,
        Products::Bf16 => Precision::Bf16,
    });
    Ok(match arguments.mode {
        Mode::Infer | Mode::First => {
            if let Some(path) = &arguments.checkpoint {
                model.load(path)?;
            }
            let predictor = model.predictor()?;
            Box::new(move || {
                predictor.predict(&images)?.device().synchronize()?;
                Ok(())
            })
        }
        Mode::Train => {
            if let Some(path) = &arguments.checkpoint {
                model.save(path)?;
            }
            model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []);
            if images.device().is_cuda() {
                let data = Dataset::from_tensors(&Tensor::cat(&[&images; STEPS], 0)?, &labels.repeat(STEPS)?)?;
                let fit = Fit::epochs(EPOCHS).batch_size(labels.elem_count()).shuffle(false).verbose(Verbose::Silent);
                return Ok(Box::new(move || model.fit(&data, fit).map(|_| ())));
            }
            Box::new(move || {
                model.train_on_batch(&images, &labels)?;
                Ok(())
            })
        }
    })
}

/// One step of a network in candle's own layers, which take `N, C, H, W` and end in logits.
fn candles(
    build: fn(VarBuilder) -> Result<candle_nn::Sequential>,
    arguments: &Arguments,
    images: Tensor,
    labels: Tensor,
) -> Result<Step> {
    if arguments.checkpoint.is_some() {
        refuse("candle's own layers have no `--checkpoint` here");
    }
    let images = images.permute((0, 3, 1, 2))?.contiguous()?;
    let variables = VarMap::new();
    let network = build(VarBuilder::from_varmap(&variables, DType::F32, images.device()))?;
    Ok(match arguments.mode {
        Mode::Infer | Mode::First => Box::new(move || {
            candle_nn::ops::softmax(&network.forward(&images)?.detach(), 1)?.device().synchronize()?;
            Ok(())
        }),
        Mode::Train => {
            let settings = candle_nn::ParamsAdamW { lr: 1e-3, weight_decay: 0., ..Default::default() };
            let mut optimizer = candle_nn::AdamW::new(variables.all_vars(), settings)?;
            Box::new(move || {
                let loss = candle_nn::loss::cross_entropy(&network.forward(&images)?, &labels)?;
                optimizer.backward_step(&loss)?;
                loss.to_scalar::<f32>()?;
                Ok(())
            })
        }
    })
}

fn lecture_in_candle(weights: VarBuilder) -> Result<candle_nn::Sequential> {
    let config = candle_nn::Conv2dConfig { stride: 2, ..Default::default() };
    let mut network = candle_nn::seq();
    for (index, channels) in [1, 32, 64, 128].windows(2).enumerate() {
        network = network
            .add(candle_nn::conv2d(channels[0], channels[1], 3, config, weights.pp(format!("conv{index}")))?)
            .add(candle_nn::Activation::Relu);
    }
    dense_in_candle(network, 512, 512, weights)
}

fn vgg_in_candle(weights: VarBuilder) -> Result<candle_nn::Sequential> {
    let config = candle_nn::Conv2dConfig { padding: 1, ..Default::default() };
    let mut network = candle_nn::seq();
    for (index, channels) in [3, 32, 64, 128].windows(2).enumerate() {
        for (layer, input) in [channels[0], channels[1]].into_iter().enumerate() {
            let weights = weights.pp(format!("conv{index}_{layer}"));
            network = network.add(candle_nn::conv2d(input, channels[1], 3, config, weights)?).add(candle_nn::Activation::Relu);
        }
        network = network.add_fn(|xs| xs.max_pool2d(2));
    }
    dense_in_candle(network, 2048, 256, weights)
}

/// The dense layers a network ends in.
fn dense_in_candle(
    network: candle_nn::Sequential,
    features: usize,
    units: usize,
    weights: VarBuilder,
) -> Result<candle_nn::Sequential> {
    Ok(network
        .add_fn(|xs| xs.flatten_from(1))
        .add(candle_nn::linear(features, units, weights.pp("dense"))?)
        .add(candle_nn::Activation::Relu)
        .add(candle_nn::linear(units, 10, weights.pp("dense_1"))?))
}
