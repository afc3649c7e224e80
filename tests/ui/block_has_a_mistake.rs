use cnn_runtime::prelude::*;

model! {
    block residual(filters, stride = 1)(x) {
        y = Conv2D(filters, 3, stride=stride, same)(x);
        y + x
    }

    pub Net {
        i = Input(28, 28, 8);
        x = residual(8)(i);
        x = residual(16, stride=2)(x);
        x = residual(32, stride=2)(x);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
