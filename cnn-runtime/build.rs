//! Compiles the kernels of `cuda/`, for a GPU and for the processor in its place, as far as features ask for them.
//!
//! Each family is a file, which is compiled for `f32` and for `f64`. What comes of them is listed in `kernels.rs` in
//! `OUT_DIR`, which `src/gpu/` includes.

fn main() {
    println!("cargo::rerun-if-changed=cuda");
    #[cfg(feature = "cuda")]
    cuda::compile();
    #[cfg(feature = "emulated-cuda")]
    emulated::compile();
}

/// The types that kernels are compiled for: as Rust calls them, and as C++ does.
#[cfg(any(feature = "cuda", feature = "emulated-cuda"))]
const REALS: [(&str, &str); 2] = [("f32", "float"), ("f64", "double")];

/// The names of the families and their files.
#[cfg(any(feature = "cuda", feature = "emulated-cuda"))]
fn families() -> Vec<(String, std::path::PathBuf)> {
    let folder = std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("cuda");
    let files =
        std::fs::read_dir(&folder).expect("`cuda` is beside this file").map(|entry| entry.expect("it can be read").path());
    let is_family = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "cu");
    let name = |path: &std::path::PathBuf| path.file_stem().expect("it has a name").to_string_lossy().into_owned();
    let mut families: Vec<_> = files.filter(is_family).map(|path| (name(&path), path)).collect();
    families.sort();
    families
}

/// Writes a Rust file into `OUT_DIR`.
#[cfg(any(feature = "cuda", feature = "emulated-cuda"))]
fn write(name: &str, text: &str) {
    let path = std::path::Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join(name);
    std::fs::write(path, text).expect("`OUT_DIR` can be written");
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::{REALS, families, write};
    use cudaforge::{CudaToolkit, detect_compute_cap};
    use std::path::Path;
    use std::process::Command;

    /// Compiles to PTX, which the driver turns into the code of the GPU at hand, of the least capability compiled for.
    pub fn compile() {
        for variable in ["CUDA_COMPUTE_CAP", "CUDA_HOME", "NVCC", "NVCC_CCBIN", "PATH"] {
            println!("cargo::rerun-if-env-changed={variable}");
        }
        let toolkit = CudaToolkit::detect().unwrap_or_else(|error| panic!("the feature `cuda` needs a CUDA toolkit: {error}"));
        let capability = detect_compute_cap().unwrap_or_else(|error| panic!("which GPU is it for? {error}")).base();
        let out = std::env::var("OUT_DIR").expect("cargo sets it");
        let mut list = String::from("pub(super) const PTX: &[(&str, &str)] = &[\n");
        for (family, file) in families() {
            for (real, in_c) in REALS {
                let ptx = Path::new(&out).join(format!("{family}_{real}.ptx"));
                let mut nvcc = Command::new(&toolkit.nvcc_path);
                nvcc.args(["--ptx", "-std=c++17", "-O3", &format!("-arch=compute_{capability}"), &format!("-DREAL={in_c}")]);
                if let Ok(compiler) = std::env::var("NVCC_CCBIN") {
                    nvcc.args(["-ccbin", &compiler]);
                }
                let found = nvcc.arg("-o").arg(&ptx).arg(&file).output().expect("`nvcc` is where it was found");
                if !found.status.success() {
                    panic!("{} does not compile:\n{}", file.display(), String::from_utf8_lossy(&found.stderr));
                }
                list += &format!("    ({:?}, include_str!({ptx:?})),\n", format!("{family}_{real}"));
            }
        }
        write("ptx.rs", &(list + "];\n"));
    }
}

#[cfg(feature = "emulated-cuda")]
mod emulated {
    use super::{REALS, families, write};

    /// Compiles each family to a library with one function, which launches its kernels.
    pub fn compile() {
        let (mut declared, mut listed) = (String::new(), String::new());
        let out = std::env::var("OUT_DIR").expect("cargo sets it");
        for (family, file) in families() {
            // Without a name, so that the linker does not take what is of `f32` for what is of `f64`.
            write(&format!("{family}.cc"), &format!("#include \"emulated.h\"\nnamespace {{\n#include {file:?}\n}}\n"));
            for (real, in_c) in REALS {
                let name = format!("{family}_{real}");
                cc::Build::new()
                    .cpp(true)
                    .std("c++17")
                    .opt_level(2)
                    .include("cuda")
                    .flag("-Wno-unused-function")
                    .flag("-Wno-unused-parameter")
                    .define("REAL", in_c)
                    .define("FAMILY", name.as_str())
                    .cargo_warnings(true)
                    .file(std::path::Path::new(&out).join(format!("{family}.cc")))
                    .compile(&format!("emulated_{name}"));
                declared += &format!(
                    "    fn launch_{name}(name: Text, types: Text, arguments: Arguments, blocks: u32, threads: u32) -> Text;\n"
                );
                listed += &format!("    ({name:?}, launch_{name}),\n");
            }
        }
        let list =
            format!("unsafe extern \"C\" {{\n{declared}}}\n\npub(super) const FAMILIES: &[(&str, Launch)] = &[\n{listed}];\n");
        write("emulated.rs", &list);
    }
}
