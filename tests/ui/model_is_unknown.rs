use cnn_runtime::prelude::*;

model! {
    Net {
        i = Input(32, 32, 3);
        f = Backbone()(i);
        x = Dense(10, softmax)(f);
    }
}

fn main() -> Result<()> {
    Net::new(&Device::Cpu, Seed(42))?;
    Ok(())
}
