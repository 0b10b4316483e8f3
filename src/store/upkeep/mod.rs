//! Upkeep: what a root holds, who used it last, and taking out what nobody has used for long.
//!
//! Guarantees (the order of steps is told in [`prune`]): a plan never outlives what it refers to, nothing that a process
//! shows in `/proc` goes, launches may go on meanwhile, and format versions that are not ours are neither counted nor
//! touched. Never looks into a seed.

mod catalogue;
mod in_use;
mod prune;
#[cfg(test)]
mod tests;

pub use catalogue::Entry;
pub use prune::{Limits, Pruned};
