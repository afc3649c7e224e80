//! Which of the processor's instructions the kernels may use, so that tests can run the paths of lesser processors.

use std::sync::OnceLock;

/// Instruction sets, each with what those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Isa {
    /// What every processor of the target has.
    Baseline,
    Avx2,
    Avx512,
    Avx512Bf16,
    Amx,
}

/// The most that the environment variable `CNN_MAX_CPU_ISA` allows, as it was when this was first asked.
///
/// # Panics
/// If it is none of the names: a test that means to run another path should not pass for want of a letter.
pub(super) fn allowed() -> Isa {
    static ALLOWED: OnceLock<Isa> = OnceLock::new();
    *ALLOWED.get_or_init(|| match std::env::var("CNN_MAX_CPU_ISA") {
        Err(_) => Isa::Amx,
        Ok(name) => named(&name).unwrap_or_else(|| {
            panic!("`CNN_MAX_CPU_ISA` is `baseline`, `avx2`, `avx512`, `avx512bf16` or `amx`, found `{name}`")
        }),
    })
}

fn named(name: &str) -> Option<Isa> {
    match name {
        "baseline" => Some(Isa::Baseline),
        "avx2" => Some(Isa::Avx2),
        "avx512" => Some(Isa::Avx512),
        "avx512bf16" => Some(Isa::Avx512Bf16),
        "amx" => Some(Isa::Amx),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{simd, tiles};

    #[test]
    fn nothing_beyond_what_is_allowed_is_used() {
        let arch = simd::arch();
        assert!(allowed() > Isa::Baseline || matches!(arch, pulp::Arch::Scalar), "{arch:?}");
        #[cfg(target_arch = "x86_64")]
        assert!(allowed() > Isa::Avx2 || !matches!(arch, pulp::Arch::V4(_)), "{arch:?}");
        assert!(allowed() == Isa::Amx || !tiles::available());
    }

    #[test]
    fn only_its_names_name_one() {
        assert!(["baseline", "avx2", "avx512", "avx512bf16", "amx"].map(|name| named(name).unwrap()).is_sorted());
        assert_eq!(named("AVX-512"), None);
    }
}
