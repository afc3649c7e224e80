use cnn_runtime::prelude::*;

model! {
    pub Net {
        #![strict]
        i = Input(7, 7, 3);
        x = Conv2D(1, 3, stride=3)(i);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    let _: Tensor = net.forward(&Tensor::zeros((1, 28, 28, 1), DType::F32, &Device::Cpu)?, &Context::inference())?;
    Ok(())
}
