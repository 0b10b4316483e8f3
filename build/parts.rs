//! Builds the parts, packs the engine, and writes what `src/parts.rs` includes.
//!
//! The parts are built in the workspace. Where this package comes from a registry, the other two lie in directories of
//! their own there; then the same workspace is put together of all three.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use object::{Object as _, ObjectSection as _};
use pexboot_core::seal;
use sha2::{Digest, Sha256};

use crate::maker::Maker;

/// A directory with finished parts that are used instead of building any: `pexboot-stub` and `pexboot-engine` for the
/// machine that this is built for, and in `x86_64-linux` or `aarch64-linux` below it for each (`cross` makes these).
const READY: &str = "PEXBOOT_PARTS";
/// The machines that there are heads for.
const HEADS: [&str; 2] = ["x86_64-linux", "aarch64-linux"];

pub fn build() -> Result<(), Box<dyn Error>> {
    for path in ["src", "core", "stub", "Cargo.toml", "Cargo.lock"] {
        // What is missing would count as changed every time.
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-env-changed={READY}");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = variable("TARGET")?;
    let own = format!("{}-linux", target.split('-').next().unwrap_or_default());
    let ready = env::var_os(READY).map(PathBuf::from);

    let mut heads = vec![Head::new(
        &own,
        &own_parts(&out, target, &own, ready.as_deref())?,
    )?];
    for name in HEADS.into_iter().filter(|name| *name != own) {
        if let Some(parts) = ready.as_ref().and_then(|ready| parts_in(&ready.join(name))) {
            heads.push(Head::new(name, &parts)?);
        }
    }
    let list: Result<String, _> = heads.iter().map(|head| head.write(&out)).collect();
    let count = heads.len();
    let constants = format!(
        "/// The heads that the command carries, its own machine's first.\n\
         pub const HEADS: [Head; {count}] = [\n{}];\n",
        list?
    );
    write(&out.join("parts.rs"), constants.as_bytes())
}

/// The parts for the machine that the command line itself is built for: finished ones, else built here.
fn own_parts(
    out: &Path,
    target: String,
    own: &str,
    ready: Option<&Path>,
) -> Result<[PathBuf; 2], Box<dyn Error>> {
    let finished = ready.and_then(|ready| parts_in(ready).or_else(|| parts_in(&ready.join(own))));
    if let Some(finished) = finished {
        return Ok(finished);
    }
    let maker = Maker {
        cargo: variable("CARGO")?.into(),
        rustc: variable("RUSTC")?.into(),
        workspace: workspace(out)?,
        directory: target_root(out).join("parts"),
        target,
    };
    Ok([maker.stub()?, maker.engine()?])
}

/// Stub and engine that lie finished in a directory.
fn parts_in(directory: &Path) -> Option<[PathBuf; 2]> {
    let parts = ["pexboot-stub", "pexboot-engine"].map(|name| directory.join(name));
    for part in &parts {
        println!("cargo::rerun-if-changed={}", part.display());
    }
    parts.iter().all(|part| part.is_file()).then_some(parts)
}

/// A stub and its engine.
struct Head {
    name: String,
    stub: Vec<u8>,
    engine: Vec<u8>,
}

impl Head {
    fn new(name: &str, [stub, engine]: &[PathBuf; 2]) -> Result<Head, Box<dyn Error>> {
        Ok(Head {
            name: name.to_owned(),
            stub: read(stub)?,
            engine: without_unwinding(read(engine)?)?,
        })
    }

    /// Writes its bytes to `out`; gives the Rust that says what it is.
    fn write(&self, out: &Path) -> Result<String, Box<dyn Error>> {
        let name = &self.name;
        let seal_offset = seal::offset(&self.stub)
            .ok_or_else(|| format!("the stub has no note in `{}`", seal::NOTE_SECTION))?;
        write(&out.join(format!("stub-{name}")), &self.stub)?;
        write(
            &out.join(format!("engine-{name}.lz4")),
            &packed(&self.engine)?,
        )?;
        let digest: [u8; 32] = Sha256::digest(&self.engine).into();
        Ok(format!(
            "    Head {{\n        \
             target: \"{name}\",\n        \
             stub: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/stub-{name}\")),\n        \
             engine: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/engine-{name}.lz4\")),\n        \
             engine_size: {size},\n        \
             engine_digest: {digest:?},\n        \
             seal_offset: {seal_offset},\n    }},\n",
            size = self.engine.len(),
        ))
    }
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

/// The target directory, which all profiles share, so that the parts are built once; else this build's own directory.
fn target_root(out: &Path) -> PathBuf {
    let root = out
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file());
    root.unwrap_or(out).to_path_buf()
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
