use cnn_runtime::prelude::*;

model! {
    pub Net {
        a = Input(8);
        b = Input(8);
        x = Dot(axes=0)([a, b]);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
