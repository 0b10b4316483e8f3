//! What the other programs of this package use of it: the command, the engine, benchmarks and integration tests. No part of
//! its interface; each name stands for the room that it comes from.

#[cfg(feature = "cli")]
pub mod archive {
    pub use crate::archive::Archive;
}
#[cfg(feature = "cli")]
pub mod bench {
    pub use crate::bench::*;
}
#[cfg(feature = "cli")]
pub mod boot {
    pub use crate::boot::Compiled;
}
#[cfg(feature = "cli")]
pub mod cli {
    pub use crate::cli::main;
}
#[cfg(feature = "cli")]
pub mod interpreter {
    pub use crate::interpreter::Record;
}
pub mod launch {
    pub use crate::launch::engine;
}
#[cfg(feature = "cli")]
pub mod parts {
    pub use crate::parts::*;
}
#[cfg(any(feature = "cli", feature = "fuzzing"))]
pub mod pex {
    pub use crate::pex::Pex;
}
#[cfg(feature = "cli")]
pub mod pex_info {
    pub use crate::pex_info::PexInfo;
}
#[cfg(feature = "cli")]
pub mod resolve {
    pub use crate::resolve::{ResolveError, Selected, resolve};
}
#[cfg(any(feature = "cli", feature = "fuzzing"))]
pub mod store {
    pub use crate::store::Store;
}
#[cfg(any(feature = "cli", feature = "fuzzing"))]
pub mod unpack {
    pub use crate::unpack::{code, wheels};
}
