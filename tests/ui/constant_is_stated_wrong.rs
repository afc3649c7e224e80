use cnn_runtime::prelude::*;

const SIDE: usize = 28;

model! {
    Net {
        i = Input(SIDE, SIDE, 1);
        x = Conv2D(32, 3, stride=2)(i);
        x: [7, 7, _] = MaxPooling2D(2)(x);
        y: _ = Conv2D(8, SIDE / 4)(x);
        y = Flatten()(y);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
