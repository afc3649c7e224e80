use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2)(i);
        x = Conv2D(64, 3, stride=2)(x);
        x = Conv2D(128, 3, stride=2)(x);
        x = Conv2D(256, 3, stride=2)(x);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    let _: Tensor = net.forward(&Tensor::zeros((1, 28, 28, 1), DType::F32, &Device::Cpu)?, &Context::inference())?;
    Ok(())
}
