//! What drivers and libraries say of a GPU they refuse, or lose, in words that help.

/// A kind of trouble with a GPU.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// The names that CUDA, cuBLAS and cuDNN have for it, or candle's words.
    codes: &'static [&'static str],
    /// What is wrong.
    pub problem: &'static str,
    /// A fix.
    pub help: &'static str,
}

/// The trouble that an error's `text` names.
pub(crate) fn trouble(text: &str) -> Option<&'static Trouble> {
    TROUBLES.iter().find(|trouble| trouble.codes.iter().any(|code| text.contains(code)))
}

const TROUBLES: [Trouble; 7] = [
    Trouble {
        codes: &["has not been built with cuda support"],
        problem: "this program was built without CUDA",
        help: "build it with `--features cuda`; `Device::cuda_if_available(0)?` is the CPU where there is no GPU",
    },
    Trouble {
        codes: &["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"],
        problem: "the GPU has no memory left",
        help: "train with a smaller `batch_size`, and see with `nvidia-smi` what else is on it",
    },
    Trouble {
        codes: &["CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_INVALID_DEVICE", "CUDA_ERROR_DEVICE_UNAVAILABLE"],
        problem: "there is no such GPU to use",
        help: "see with `nvidia-smi` which there are; `Device::Cpu` needs none",
    },
    Trouble {
        codes: &["CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "CUDA_ERROR_STUB_LIBRARY", "CUDA_ERROR_INSUFFICIENT_DRIVER"],
        problem: "the GPU has no driver, or an old one",
        help: "install NVIDIA's driver for CUDA 13 or later",
    },
    Trouble {
        codes: &["CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "CUDA_ERROR_NOT_INITIALIZED", "CUDA_ERROR_SYSTEM_NOT_READY"],
        problem: "the driver of the GPU is older than this program, or not ready",
        help: "update the driver, or build with the CUDA toolkit that goes with it",
    },
    Trouble {
        codes: &["CUDA_ERROR_NO_BINARY_FOR_GPU", "CUDA_ERROR_INVALID_PTX", "CUDA_ERROR_INVALID_SOURCE"],
        problem: "this program was built for GPUs of another architecture",
        help: "build it with `CUDA_COMPUTE_CAP` set to the one at hand, which `nvidia-smi --query-gpu=compute_cap --format=csv` tells",
    },
    Trouble {
        codes: &["CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_LAUNCH_FAILED", "CUDA_ERROR_ECC_UNCORRECTABLE"],
        problem: "the GPU was lost in the middle of its work",
        help: "start the program anew from the last checkpoint; `nvidia-smi` and the system's log say more of the GPU",
    },
];
