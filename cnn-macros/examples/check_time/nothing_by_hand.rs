//! A program that uses candle alone and declares no network.

use candle_core::{DType, Device, Result, Tensor};

fn main() -> Result<()> {
    println!("{}", Tensor::zeros(1000, DType::F32, &Device::Cpu)?);
    Ok(())
}
