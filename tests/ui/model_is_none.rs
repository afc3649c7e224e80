use cnn_runtime::prelude::*;

struct MyLayer;

model! {
    Net {
        i = Input(28, 28, 1);
        x = MyLayer()(i);
        x = Flatten()(x);
        x = Dense(10)(x);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
