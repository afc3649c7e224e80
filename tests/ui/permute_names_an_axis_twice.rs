use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 27, 3);
        x = Permute((3, 1, 1))(i);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    let _: Tensor = net.forward(&Tensor::zeros((1, 28, 28, 1), DType::F32, &Device::Cpu)?, &Context::inference())?;
    Ok(())
}
