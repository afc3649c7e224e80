use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(8, 3);
        x = MaxPooling1D(2)(i);
        x = Conv1D(16, 5)(x);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
