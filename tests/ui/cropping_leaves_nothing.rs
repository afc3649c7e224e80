use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(8, 8, 4);
        x = Cropping2D(4)(i);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    let _: Tensor = net.forward(&Tensor::zeros((1, 28, 28, 1), DType::F32, &Device::Cpu)?, &Context::inference())?;
    Ok(())
}
