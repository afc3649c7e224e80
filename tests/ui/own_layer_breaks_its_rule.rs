use cnn_runtime::candle_core;
use cnn_runtime::layers::CustomLayer;
use cnn_runtime::prelude::*;
use cnn_runtime::spec::{At, Inferred, Operand, ShapeError, Text, rules};

struct Halves {
    axis: usize,
}

impl Halves {
    const fn infer(&self, inputs: &[Operand]) -> std::result::Result<Inferred, ShapeError> {
        let image = match rules::image("Halves", inputs) {
            Ok(image) => image,
            Err(error) => return Err(error),
        };
        if self.axis > 2 {
            let message = Text::from("an image has no axis ").num(self.axis);
            return Err(ShapeError::new(At::Argument("axis"), message).help(Text::from("use `0`, `1` or `2`")));
        }
        Ok(Inferred::shape(image.shape))
    }
}

impl CustomLayer for Halves {
    fn forward(&self, _: &[Tensor], xs: &[&Tensor], _: &Context) -> candle_core::Result<Tensor> {
        xs[0].affine(0.5, 0.0)
    }
}

model! {
    Net {
        i = Input(28, 28, 1);
        x = Custom(Halves { axis: 3 })(i);
        x = Flatten()(x);
        y = Flatten()(i);
        y = Custom(Halves { axis: 1 })(y);
        Model(i, [x, y])
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
