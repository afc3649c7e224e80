use cnn_runtime::prelude::*;

model! {
    pub Net {
        i = Input(40, 16);
        queries = Conv1D(8, 1)(i);
        keys = Conv1D(8, 1)(i);
        scores = Dot(axes=-1)([queries, keys]);
        x = Dot(axes=2)([scores, i]);
    }
}

fn main() -> Result<()> {
    let net = Net::new(&Device::Cpu, Seed(42))?;
    println!("{}", net.summary());
    Ok(())
}
