use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(28, 28, 8);
        x = i;
        for filters in 64 {
            x = Conv2D(filters, 3)(x);
        }
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
