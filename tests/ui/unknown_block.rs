use cnn_runtime::prelude::*;

model! {
    block residual(filters, stride = 1)(x) {
        y = Conv2D(filters, 3, stride=stride, same)(x);
        y + x
    }

    pub Net {
        i = Input(28, 28, 8);
        x = residual(8)(i);
        x = residul(8)(x);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
