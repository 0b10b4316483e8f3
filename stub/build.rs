//! How the executable is linked: by nobody's start files and without a libc, small, with a stack that can't be executed.

use std::path::PathBuf;
use std::{env, fs};

/// Nobody unwinds, and nobody reads who compiled it.
const DISCARD: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame .comment) } } INSERT AFTER .rodata;\n";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_START").is_none() {
        return;
    }
    // Kernels for aarch64 come with pages of up to 64 KiB; segments must be as far apart.
    let page = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("aarch64") => "-Wl,-z,max-page-size=65536",
        _ => "-Wl,-z,max-page-size=4096",
    };
    let script = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("discard.ld");
    if let Err(error) = fs::write(&script, DISCARD) {
        println!("cargo::error=`{}`: {error}", script.display());
    }
    let script = format!("-Wl,-T,{}", script.display());
    let arguments = [
        &script,
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--gc-sections",
        "-Wl,--build-id=none",
        "-Wl,-z,noexecstack",
        // Code and constants in one segment: a page less to map and none to fill up.
        "-Wl,-z,noseparate-code",
        "-Wl,-z,norelro",
        "-Wl,--no-eh-frame-hdr",
        page,
    ];
    for argument in arguments {
        println!("cargo::rustc-link-arg-bin=pexboot-stub={argument}");
    }
}
