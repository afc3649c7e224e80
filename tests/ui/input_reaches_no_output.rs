use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 1);
        j = Input(28, 28, 1);
        x = Flatten()(i);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    net.input.clone();
    Ok(())
}
