//! ResNet-50 in `model!`.

use cnn_runtime::prelude::*;

model! {
    block conv(filters, kernel, stride = 1)(x) {
        x = Conv2D(filters, kernel, stride=stride, same, use_bias=false)(x);
        BatchNormalization()(x)
    }

    block bottleneck(filters, stride = 1, project = false)(x) {
        y = ReLU()(conv(filters, 1)(x));
        y = ReLU()(conv(filters, 3, stride=stride)(y));
        y = conv(4 * filters, 1)(y);
        if project {
            x = conv(4 * filters, 1, stride=stride)(x);
        }
        ReLU()(y + x)
    }

    pub ResNet50 {
        i = Input(224, 224, 3);
        x = ReLU()(conv(64, 7, stride=2)(i));
        x = MaxPooling2D(3, stride=2, same)(x);
        for (filters, depth, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
            x = bottleneck(filters, stride=stride, project)(x);
            for _ in 1..depth {
                x = bottleneck(filters)(x);
            }
        }
        x = GlobalAveragePooling2D()(x);
        x = Dense(1000, softmax)(x);
    }
}

fn main() -> Result<()> {
    let net = ResNet50::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.forward(&Tensor::zeros((1, 224, 224, 3), DType::F32, &Device::Cpu)?, &Context::inference())?);
    Ok(())
}
