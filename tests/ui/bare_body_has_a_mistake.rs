use cnn_runtime::prelude::*;

fn main() -> Result<()> {
    let net = model! {
        i = Input(28, 28, 1);
        x = Conv2D(8, 30)(i);
    }
    .build(&Device::Cpu, Seed(42))?;
    net.conv2d.weight.dims();
    Ok(())
}
