use cnn_runtime::prelude::*;

const CLASSES: usize = 10;

model! {
    Net {
        i = Input(784);
        x = Dense(CLASES)(i);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
