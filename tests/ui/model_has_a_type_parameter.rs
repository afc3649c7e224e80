use cnn_runtime::prelude::*;

model! {
    Net<T> {
        i = Input(28, 28, 1);
        x = Flatten()(i);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
