//! Builds the parts, packs the engine, and writes what `src/parts.rs` includes.
//!
//! The parts are built in the workspace. Where this package comes from a registry, the other two lie in directories of
//! their own there; then the same workspace is put together of all three.

use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use object::{Object as _, ObjectSection as _};
use pexboot_core::seal;
use sha2::{Digest, Sha256};

/// What is passed on of the variables that cargo gives a build script, or that steer cargo. The parts must not depend on
/// how the command line is built; but where packages come from and who links is the machine's matter.
const KEPT: &[&str] = &[
    "CARGO_HOME",
    "CARGO_MAKEFLAGS",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
];
const KEPT_PREFIXES: &[&str] = &[
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
];
const DROPPED: &[&str] = &[
    "TARGET",
    "HOST",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "NUM_JOBS",
    "OUT_DIR",
    "MAKEFLAGS",
];
const DROPPED_PREFIXES: &[&str] = &["CARGO", "RUST", "CLIPPY_"];

/// A directory with finished parts, `pexboot-stub` and `pexboot-engine`, that are used instead of building any.
const READY: &str = "PEXBOOT_PARTS";

pub fn build() -> Result<(), Box<dyn Error>> {
    for path in ["src", "core", "stub", "Cargo.toml", "Cargo.lock"] {
        // What is missing would count as changed every time.
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-env-changed={READY}");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let (stub, engine) = match env::var_os(READY) {
        Some(ready) => {
            let ready = PathBuf::from(ready);
            (ready.join("pexboot-stub"), ready.join("pexboot-engine"))
        }
        None => (build_stub(&out)?, build_engine(&out)?),
    };

    let stub = read(&stub)?;
    let engine = without_unwinding(read(&engine)?)?;
    let seal_offset = seal::offset(&stub)
        .ok_or_else(|| format!("the stub has no note in `{}`", seal::NOTE_SECTION))?;
    write(&out.join("stub"), &stub)?;
    write(&out.join("engine.lz4"), &packed(&engine)?)?;
    let digest: [u8; 32] = Sha256::digest(&engine).into();
    let constants = format!(
        "/// Bytes of the engine decompressed.\n\
         pub const ENGINE_SIZE: u64 = {size};\n\
         /// SHA-256 of the engine decompressed.\n\
         pub const ENGINE_DIGEST: [u8; 32] = {digest:?};\n\
         /// Where the seal stands in [`STUB`].\n\
         pub const SEAL_OFFSET: usize = {seal_offset};\n",
        size = engine.len(),
    );
    write(&out.join("parts.rs"), constants.as_bytes())
}

/// Without a libc, so any target's standard library (of which it uses `core` and `alloc`) will do.
fn build_stub(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = variable("TARGET")?;
    let mut flags = vec![
        // Small before fast, even more so than the profile has it: what is called once or twice stays a call.
        "-C",
        "llvm-args=-inline-threshold=0",
        // A warm start hashes less than a kilobyte: asking the processor what it can do would take longer than that.
        "--cfg",
        "sha2_256_backend=\"soft\"",
        "--cfg",
        "sha2_backend_soft=\"compact\"",
    ];
    if target.ends_with("-musl") {
        // Else rustc adds musl's start files by itself.
        flags.extend(["-C", "link-self-contained=no"]);
    }
    let arguments = [
        "-p",
        "pexboot-stub",
        "--features",
        "start",
        "--bin",
        "pexboot-stub",
    ];
    cargo(out, &target, "pexboot-stub", &arguments, &flags)
}

/// Static, so that it runs on any Linux: with musl where that can be had, else with the glibc of the build.
fn build_engine(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = variable("TARGET")?;
    let musl = target.replace("-linux-gnu", "-linux-musl");
    let target = if installed(&musl)? { musl } else { target };
    let arguments = [
        "-p",
        "pexboot",
        "--no-default-features",
        "--features",
        "engine",
        "--bin",
        "pexboot-engine",
    ];
    cargo(out, &target, "pexboot-engine", &arguments, &[])
}

/// Runs a cargo of our own; the result is the path of the binary it built.
fn cargo(
    out: &Path,
    target: &str,
    binary: &str,
    arguments: &[&str],
    flags: &[&str],
) -> Result<PathBuf, Box<dyn Error>> {
    if !["x86_64-unknown-linux", "aarch64-unknown-linux"]
        .iter()
        .any(|t| target.starts_with(t))
    {
        return Err(
            format!("no stub for `{target}`: pexboot runs on Linux, x86_64 and aarch64").into(),
        );
    }
    let workspace = workspace(out)?;
    let directory = target_root(out).join("parts").join(binary);

    let mut all: Vec<String> = [
        "-C",
        "target-feature=+crt-static",
        "-C",
        "relocation-model=static",
    ]
    .map(Into::into)
    .into();
    all.extend(flags.iter().map(ToString::to_string));
    // No path of the building machine ends up in the parts.
    all.push(format!(
        "--remap-path-prefix={}=/pexboot",
        workspace.display()
    ));
    if let Some(home) = cargo_home() {
        all.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }

    let mut command = Command::new(variable("CARGO")?);
    for (name, _) in env::vars_os().filter(|(name, _)| dropped(name)) {
        command.env_remove(name);
    }
    let status = command
        .env("CARGO_ENCODED_RUSTFLAGS", all.join("\x1f"))
        .env("RUSTC", variable("RUSTC")?)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "part",
            "--target",
            target,
        ])
        .args(arguments)
        .arg("--target-dir")
        .arg(&directory)
        .current_dir(workspace)
        .status()
        .map_err(|error| format!("cargo can't be run for `{binary}`: {error}"))?;
    if !status.success() {
        return Err(format!("building `{binary}` for `{target}` failed ({status})").into());
    }
    Ok(directory.join(target).join("part").join(binary))
}

/// The workspace: where this package is, or, out of a registry, one put together of the three packages.
fn workspace(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    if package.join("stub/Cargo.toml").is_file() {
        return Ok(package);
    }
    let place = out.join("workspace");
    for (from, to) in [
        (package.as_path(), place.as_path()),
        (Path::new(pexboot_core::DIRECTORY), &place.join("core")),
        (Path::new(pexboot_stub::DIRECTORY), &place.join("stub")),
    ] {
        copy(from, to)?;
        // As it was written, with what the packages share.
        fs::copy(from.join("Cargo.toml.orig"), to.join("Cargo.toml"))?;
    }
    fs::copy(package.join("build/Cargo.lock"), place.join("Cargo.lock"))?;
    // Targets that the manifest names and the package leaves out.
    for path in [
        "tests/it/main.rs",
        "benches/parts.rs",
        "benches/startup/main.rs",
    ] {
        let path = place.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&place))?;
        write(&path, b"")?;
    }
    Ok(place)
}

/// Copies the files below a directory.
fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            write(&target, &read(&entry.path())?)?;
        }
    }
    Ok(())
}

fn dropped(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let linker = name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER");
    let kept = linker || KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|p| name.starts_with(p));
    !kept && (DROPPED.contains(&name) || DROPPED_PREFIXES.iter().any(|p| name.starts_with(p)))
}

/// The target directory, which all profiles share, so that the parts are built once; else this build's own directory.
fn target_root(out: &Path) -> PathBuf {
    let root = out
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file());
    root.unwrap_or(out).to_path_buf()
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
}

/// Whether rustc has a standard library for `target`.
fn installed(target: &str) -> Result<bool, Box<dyn Error>> {
    let output = Command::new(variable("RUSTC")?)
        .args(["--print", "sysroot"])
        .output()?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
    Ok(sysroot
        .join("lib/rustlib")
        .join(target)
        .join("lib")
        .is_dir())
}

/// The engine without the tables that say how to unwind its stack, which take an eighth of it: it aborts where it panics. They
/// become zeros, which whoever looks takes for empty tables.
fn without_unwinding(mut engine: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    let file = object::File::parse(&*engine)?;
    let tables = [".eh_frame_hdr", ".eh_frame", ".gcc_except_table"];
    let ranges: Vec<_> = tables
        .iter()
        .filter_map(|name| file.section_by_name(name)?.file_range())
        .collect();
    for (at, size) in ranges {
        let (at, size) = (usize::try_from(at)?, usize::try_from(size)?);
        engine
            .get_mut(at..at + size)
            .ok_or("the engine is cut short")?
            .fill(0);
    }
    Ok(engine)
}

/// An LZ4 block at the best level: every embedded file carries it.
fn packed(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mode = lz4::block::CompressionMode::HIGHCOMPRESSION(12);
    Ok(lz4::block::compress(bytes, Some(mode), false)?)
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("`{name}`: {error}").into())
}

fn read(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()).into())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::write(path, bytes).map_err(|error| format!("`{}`: {error}", path.display()).into())
}
