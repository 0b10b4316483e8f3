//! Runs the cargos that build stub and engine. Needs nothing but the standard library: `cross` compiles it alone.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

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

/// What builds the parts for one machine.
#[derive(Debug)]
pub struct Maker {
    /// The cargo that is run.
    pub cargo: OsString,
    /// The compiler that it runs.
    pub rustc: OsString,
    /// Where the workspace lies.
    pub workspace: PathBuf,
    /// Where cargo builds, in a directory for each part.
    pub directory: PathBuf,
    /// For what: a target of rustc.
    pub target: String,
}

impl Maker {
    /// Without a libc, so any target's standard library (of which it uses `core` and `alloc`) will do.
    pub fn stub(&self) -> Result<PathBuf, Box<dyn Error>> {
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
        if self.target.ends_with("-musl") {
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
        self.cargo(&self.target, "pexboot-stub", &arguments, &flags)
    }

    /// Static, so that it runs on any Linux: with musl where that can be had, else with the glibc of the build.
    pub fn engine(&self) -> Result<PathBuf, Box<dyn Error>> {
        let musl = self.target.replace("-linux-gnu", "-linux-musl");
        let has_musl = self.installed(&musl)?;
        let target = if has_musl { &musl } else { &self.target };
        let arguments = [
            "-p",
            "pexboot",
            "--no-default-features",
            "--features",
            "engine",
            "--bin",
            "pexboot-engine",
        ];
        self.cargo(target, "pexboot-engine", &arguments, &[])
    }

    /// Runs a cargo of our own; the result is the path of the binary it built.
    fn cargo(
        &self,
        target: &str,
        binary: &str,
        arguments: &[&str],
        flags: &[&str],
    ) -> Result<PathBuf, Box<dyn Error>> {
        if !["x86_64-unknown-linux", "aarch64-unknown-linux"]
            .iter()
            .any(|t| target.starts_with(t))
        {
            return Err(format!(
                "no stub for `{target}`: pexboot runs on Linux, x86_64 and aarch64"
            )
            .into());
        }
        let workspace = self.workspace.display();
        let directory = self.directory.join(binary);

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
        all.push(format!("--remap-path-prefix={workspace}=/pexboot"));
        if let Some(home) = cargo_home() {
            all.push(format!("--remap-path-prefix={}=/cargo", home.display()));
        }

        let mut command = Command::new(&self.cargo);
        for (name, _) in env::vars_os().filter(|(name, _)| dropped(name)) {
            command.env_remove(name);
        }
        let status = command
            .env("CARGO_ENCODED_RUSTFLAGS", all.join("\x1f"))
            .env("RUSTC", &self.rustc)
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
            .current_dir(&self.workspace)
            .status()
            .map_err(|error| format!("cargo can't be run for `{binary}`: {error}"))?;
        if !status.success() {
            return Err(format!("building `{binary}` for `{target}` failed ({status})").into());
        }
        Ok(directory.join(target).join("part").join(binary))
    }

    /// Whether rustc has a standard library for `target`.
    fn installed(&self, target: &str) -> Result<bool, Box<dyn Error>> {
        let output = Command::new(&self.rustc)
            .args(["--print", "sysroot"])
            .output()?;
        let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
        Ok(sysroot
            .join("lib/rustlib")
            .join(target)
            .join("lib")
            .is_dir())
    }
}

fn dropped(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let linker = name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER");
    let kept = linker || KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|p| name.starts_with(p));
    !kept && (DROPPED.contains(&name) || DROPPED_PREFIXES.iter().any(|p| name.starts_with(p)))
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
}
