use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(_, _, 3);
        x = Normalization(axis=(1, 2))(i);
        x = GlobalAveragePooling2D()(x);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
