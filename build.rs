//! Builds the two native parts that the command line carries: the stub and the engine (see `src/parts.rs`).
//!
//! Each is built by a cargo of its own with a clean environment, so that whatever builds the command line (a test, clippy,
//! a release, an installation) makes the same bytes, once. Without the feature `cli` there is nothing to do: that is how
//! the engine's own build ends up here.

#[cfg(feature = "cli")]
#[path = "build/maker.rs"]
mod maker;
#[cfg(feature = "cli")]
#[path = "build/parts.rs"]
mod parts;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    #[cfg(feature = "cli")]
    if let Err(error) = parts::build() {
        println!("cargo::error={error}");
    }
}
