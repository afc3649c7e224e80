//! A program that uses this project and declares no network.

use cnn_runtime::prelude::*;

fn main() -> Result<()> {
    println!("{}", Tensor::zeros(1000, DType::F32, &Device::Cpu)?);
    Ok(())
}
