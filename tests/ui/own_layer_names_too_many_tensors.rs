use cnn_runtime::candle_core;
use cnn_runtime::layers::CustomLayer;
use cnn_runtime::prelude::*;
use cnn_runtime::spec::{Inferred, Initializer, Operand, Parameter, Parameters, ShapeError, rules};

struct Mixture;

impl Mixture {
    const fn infer(&self, inputs: &[Operand]) -> std::result::Result<Inferred, ShapeError> {
        let input = match rules::one("Mixture", inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let parameters = Parameters::NONE
            .with(Parameter::new("a", [1], Initializer::Zeros))
            .with(Parameter::new("b", [1], Initializer::Zeros))
            .with(Parameter::new("c", [1], Initializer::Zeros))
            .with(Parameter::new("d", [1], Initializer::Zeros))
            .with(Parameter::new("e", [1], Initializer::Zeros));
        Ok(Inferred::shape(input.shape).parameters(parameters))
    }
}

impl CustomLayer for Mixture {
    fn forward(&self, _: &[Tensor], xs: &[&Tensor], _: &Context) -> candle_core::Result<Tensor> {
        xs[0].affine(0.5, 0.0)
    }
}

model! {
    Net {
        i = Input(28);
        x = Custom(Mixture)(i);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
