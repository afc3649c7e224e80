use cnn_runtime::candle_core;
use cnn_runtime::layers::CustomLayer;
use cnn_runtime::prelude::*;
use cnn_runtime::spec::{Inferred, Operand, ShapeError, rules};

struct Scale {
    by: f64,
}

impl Scale {
    const fn infer(&self, inputs: &[Operand]) -> std::result::Result<Inferred, ShapeError> {
        match rules::one("Scale", inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}

impl CustomLayer for Scale {
    fn forward(&self, _: &[Tensor], xs: &[&Tensor], _: &Context) -> candle_core::Result<Tensor> {
        xs[0].affine(self.by, 0.0)
    }
}

model! {
    Net {
        i = Input(28, 28, 1);
        x = Scale()(i);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
