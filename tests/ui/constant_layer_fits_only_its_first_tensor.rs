use cnn_runtime::prelude::*;

const FILTERS: usize = 8;
const K: usize = 30;

model! {
    Shared {
        a = Input(28, 28, 1);
        b = Input(28, 28, 3);
        conv = Conv2D(FILTERS, 3, same);
        x = conv(a);
        y = conv(b);
        Model([a, b], [x, y])
    }

    Single {
        i = Input(28, 28, 1);
        x = Conv2D(8, K)(i);
    }
}

fn main() -> Result<()> {
    Shared::new(&Device::Cpu, Seed(42))?;
    Single::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
