use cnn_runtime::prelude::*;

const SIDE: usize = 14;

model! {
    block conv(filters, size)(x) {
        Conv2D(filters, size, stride=2)(x)
    }

    Net {
        i = Input(28, 28, 1);
        x = conv(8, 3)(i);
        x = conv(2 * SIDE, SIDE)(x);
        x = Flatten()(x);
        y = Conv2D(7, 3, groups=SIDE / 7)(i);
        y = Flatten()(y);
        Model(i, [x, y])
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
