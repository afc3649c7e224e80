use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 48);
        x = GroupNormalization()(i);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    let _: Tensor = net.forward(&Tensor::zeros((1, 28, 28, 48), DType::F32, &Device::Cpu)?, &Context::inference())?;
    Ok(())
}
