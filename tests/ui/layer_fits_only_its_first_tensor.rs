use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 8);
        conv = Conv2D(4, 3);
        x = conv(i);
        x = conv(x);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
