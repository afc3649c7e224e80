use cnn_runtime::prelude::*;
use cnn_runtime::spec::{Inferred, Operand, ShapeError};

struct Half;

impl Half {
    const fn infer(&self, inputs: &[Operand]) -> std::result::Result<Inferred, ShapeError> {
        Ok(Inferred::shape(inputs[0].shape))
    }
}

model! {
    Net {
        i = Input(28, 28, 1);
        x = Custom(Half)(i);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
