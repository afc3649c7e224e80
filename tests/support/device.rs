//! Where tests of numbers run, and where the expected ones are.

use candle_core::Device;
use std::path::PathBuf;

thread_local! {
    static DEVICE: Device = match std::env::var("CNN_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::Cpu,
        Ok("cuda") => Device::new_cuda(0).expect("`CNN_DEVICE` asks for a GPU"),
        Ok(other) => panic!("`CNN_DEVICE` is `cpu` or `cuda`, found `{other}`"),
    };
}

/// The device that tests of numbers run on: the CPU, or the first GPU if `CNN_DEVICE` is `cuda`.
#[allow(dead_code, reason = "not every test that shares this makes tensors of its own")]
pub fn device() -> Device {
    DEVICE.with(Device::clone)
}

/// A folder of expected numbers in `tests/`, which is where the environment variable `CNN_TESTS` says if it is not where it was built.
#[allow(dead_code, reason = "not every test that shares this reads files")]
pub fn folder(name: &str) -> PathBuf {
    match std::env::var_os("CNN_TESTS") {
        Some(tests) => PathBuf::from(tests).join(name),
        None => [env!("CARGO_MANIFEST_DIR"), "..", "tests", name].iter().collect(),
    }
}
