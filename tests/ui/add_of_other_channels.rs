use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 8);
        a = Conv2D(32, 3, same)(i);
        b = Conv2D(64, 3, same)(i);
        x = Add()([a, b]);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
