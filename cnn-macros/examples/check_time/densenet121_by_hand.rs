//! DenseNet-121 as a candle user writes it.

use candle_core::{D, DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, VarBuilder, VarMap, batch_norm, conv2d_no_bias, linear};

struct BnConv {
    bn: BatchNorm,
    conv: Conv2d,
}

impl BnConv {
    fn new(input: usize, filters: usize, kernel: usize, vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { padding: kernel / 2, ..Default::default() };
        let conv = conv2d_no_bias(input, filters, kernel, config, vb.pp("conv"))?;
        Ok(Self { bn: batch_norm(input, 1e-5, vb.pp("bn"))?, conv })
    }

    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        self.conv.forward(&self.bn.forward_t(xs, train)?.relu()?)
    }
}

struct DenseLayer {
    reduce: BnConv,
    grow: BnConv,
}

impl DenseLayer {
    fn new(input: usize, growth: usize, vb: VarBuilder) -> Result<Self> {
        let reduce = BnConv::new(input, 4 * growth, 1, vb.pp("reduce"))?;
        Ok(Self { reduce, grow: BnConv::new(4 * growth, growth, 3, vb.pp("grow"))? })
    }

    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let ys = self.grow.forward_t(&self.reduce.forward_t(xs, train)?, train)?;
        Tensor::cat(&[xs, &ys], 1)
    }
}

struct Stage {
    layers: Vec<DenseLayer>,
    transition: Option<BnConv>,
}

impl Stage {
    fn new(input: usize, depth: usize, transition: bool, vb: VarBuilder) -> Result<Self> {
        let mut layers = Vec::new();
        for index in 0..depth {
            layers.push(DenseLayer::new(input + 32 * index, 32, vb.pp(format!("layer{index}")))?);
        }
        let filters = input + 32 * depth;
        let transition = if transition { Some(BnConv::new(filters, filters / 2, 1, vb.pp("transition"))?) } else { None };
        Ok(Self { layers, transition })
    }

    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let mut xs = xs.clone();
        for layer in &self.layers {
            xs = layer.forward_t(&xs, train)?;
        }
        match &self.transition {
            Some(transition) => transition.forward_t(&xs, train)?.avg_pool2d(2),
            None => Ok(xs),
        }
    }
}

struct DenseNet121 {
    stem: Conv2d,
    bn: BatchNorm,
    stages: Vec<Stage>,
    last: BatchNorm,
    head: Linear,
}

impl DenseNet121 {
    fn new(vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { stride: 2, padding: 3, ..Default::default() };
        let (mut stages, mut channels) = (Vec::new(), 64);
        for (index, depth) in [6, 12, 24, 16].into_iter().enumerate() {
            stages.push(Stage::new(channels, depth, index < 3, vb.pp(format!("stage{index}")))?);
            channels += 32 * depth;
            if index < 3 {
                channels /= 2;
            }
        }
        Ok(Self {
            stem: conv2d_no_bias(3, 64, 7, config, vb.pp("stem"))?,
            bn: batch_norm(64, 1e-5, vb.pp("bn"))?,
            stages,
            last: batch_norm(channels, 1e-5, vb.pp("last"))?,
            head: linear(channels, 1000, vb.pp("head"))?,
        })
    }

    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let xs = self.bn.forward_t(&self.stem.forward(xs)?, train)?.relu()?;
        let mut xs = xs.max_pool2d_with_stride(3, 2)?;
        for stage in &self.stages {
            xs = stage.forward_t(&xs, train)?;
        }
        let xs = self.last.forward_t(&xs, train)?.relu()?;
        candle_nn::ops::softmax(&self.head.forward(&xs.mean((D::Minus1, D::Minus2))?)?, D::Minus1)
    }
}

fn main() -> Result<()> {
    let variables = VarMap::new();
    let net = DenseNet121::new(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    println!("{}", net.forward_t(&Tensor::zeros((1, 3, 224, 224), DType::F32, &Device::Cpu)?, false)?);
    Ok(())
}
