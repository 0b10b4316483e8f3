//! What a user sees, tried on the real binaries.

mod stub;
