//! DenseNet-121 in `model!`.

use cnn_runtime::prelude::*;

model! {
    block layer(growth)(x) {
        y = ReLU()(BatchNormalization()(x));
        y = Conv2D(4 * growth, 1, use_bias=false)(y);
        y = ReLU()(BatchNormalization()(y));
        y = Conv2D(growth, 3, same, use_bias=false)(y);
        Concatenate()([x, y])
    }

    block transition(filters)(x) {
        x = ReLU()(BatchNormalization()(x));
        x = Conv2D(filters, 1, use_bias=false)(x);
        AveragePooling2D(2)(x)
    }

    pub DenseNet121 {
        i = Input(224, 224, 3);
        x = Conv2D(64, 7, stride=2, same, use_bias=false)(i);
        x = ReLU()(BatchNormalization()(x));
        x = MaxPooling2D(3, stride=2, same)(x);
        for (depth, halved) in [(6, 128), (12, 256), (24, 512)] {
            for _ in 0..depth {
                x = layer(32)(x);
            }
            x = transition(halved)(x);
        }
        for _ in 0..16 {
            x = layer(32)(x);
        }
        x = ReLU()(BatchNormalization()(x));
        x = GlobalAveragePooling2D()(x);
        x = Dense(1000, softmax)(x);
    }
}

fn main() -> Result<()> {
    let net = DenseNet121::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.forward(&Tensor::zeros((1, 224, 224, 3), DType::F32, &Device::Cpu)?, &Context::inference())?);
    Ok(())
}
