use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 8);
        a = Conv2D(1, 1)(i);
        x = Add()([i, a]);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
