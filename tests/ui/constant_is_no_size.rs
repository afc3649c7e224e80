use cnn_runtime::prelude::*;

const CLASSES: u32 = 10;

model! {
    Net {
        i = Input(784);
        x = Dense(CLASSES)(i);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
