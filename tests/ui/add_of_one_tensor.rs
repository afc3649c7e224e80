use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 8);
        x = Add()(i);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
