use cnn_runtime::prelude::*;

model! {
    Features {
        i = Input(28, 28, 3);
        x = Conv2D(8, 3)(i);
        x = Flatten()(x);
    }

    Net {
        i = Input(32, 32, 3);
        f = Features(frozen)(i);
        x = Dense(10, softmax)(f);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
