//! ResNet-50 as a candle user writes it.

use candle_core::{D, DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, VarBuilder, VarMap, batch_norm, conv2d_no_bias, linear};

struct ConvBn {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvBn {
    fn new(input: usize, filters: usize, kernel: usize, stride: usize, vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { stride, padding: kernel / 2, ..Default::default() };
        let conv = conv2d_no_bias(input, filters, kernel, config, vb.pp("conv"))?;
        Ok(Self { conv, bn: batch_norm(filters, 1e-5, vb.pp("bn"))? })
    }

    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        self.bn.forward_t(&self.conv.forward(xs)?, train)
    }
}

struct Bottleneck {
    reduce: ConvBn,
    middle: ConvBn,
    expand: ConvBn,
    project: Option<ConvBn>,
}

impl Bottleneck {
    fn new(input: usize, filters: usize, stride: usize, project: bool, vb: VarBuilder) -> Result<Self> {
        let project = if project { Some(ConvBn::new(input, 4 * filters, 1, stride, vb.pp("project"))?) } else { None };
        Ok(Self {
            reduce: ConvBn::new(input, filters, 1, 1, vb.pp("reduce"))?,
            middle: ConvBn::new(filters, filters, 3, stride, vb.pp("middle"))?,
            expand: ConvBn::new(filters, 4 * filters, 1, 1, vb.pp("expand"))?,
            project,
        })
    }

    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let ys = self.reduce.forward_t(xs, train)?.relu()?;
        let ys = self.middle.forward_t(&ys, train)?.relu()?;
        let ys = self.expand.forward_t(&ys, train)?;
        match &self.project {
            Some(project) => (ys + project.forward_t(xs, train)?)?.relu(),
            None => (ys + xs)?.relu(),
        }
    }
}

struct ResNet50 {
    stem: ConvBn,
    blocks: Vec<Bottleneck>,
    head: Linear,
}

impl ResNet50 {
    fn new(vb: VarBuilder) -> Result<Self> {
        let (mut blocks, mut input) = (Vec::new(), 64);
        for (filters, depth, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
            for index in 0..depth {
                let vb = vb.pp(format!("block{}", blocks.len()));
                let stride = if index == 0 { stride } else { 1 };
                blocks.push(Bottleneck::new(input, filters, stride, index == 0, vb)?);
                input = 4 * filters;
            }
        }
        Ok(Self { stem: ConvBn::new(3, 64, 7, 2, vb.pp("stem"))?, blocks, head: linear(input, 1000, vb.pp("head"))? })
    }

    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let mut xs = self.stem.forward_t(xs, train)?.relu()?.max_pool2d_with_stride(3, 2)?;
        for block in &self.blocks {
            xs = block.forward_t(&xs, train)?;
        }
        candle_nn::ops::softmax(&self.head.forward(&xs.mean((D::Minus1, D::Minus2))?)?, D::Minus1)
    }
}

fn main() -> Result<()> {
    let variables = VarMap::new();
    let net = ResNet50::new(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    println!("{}", net.forward_t(&Tensor::zeros((1, 3, 224, 224), DType::F32, &Device::Cpu)?, false)?);
    Ok(())
}
