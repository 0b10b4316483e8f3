//! What the stub and the engine share: the seal, the key of a launch, and the launch plan with its replay.
//!
//! No standard library and no system calls in here: whoever replays a plan lends its eyes as a [`replay::World`].

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod checksum;
pub mod env;
pub mod inflate;
pub mod key;
pub mod options;
pub mod paths;
pub mod plan;
pub mod replay;
pub mod seal;
