//! Measuring whole processes: what `pexboot bench`, `pexboot demo` and `cargo bench --bench startup` share.
//!
//! A start takes milliseconds, and a machine's mood changes by more than that from one minute to the next. So runs of
//! the compared commands are interleaved, in a new random order each round; every run gets environment variables of
//! another total length, since the stack's alignment shifts with it; CPU time stands beside wall time, and is the
//! steadier of the two; every sample is kept. Commands are only compared when they did the same: equal standard output
//! and exit code, checked at each run. A cold run gets directories that never existed before: emptying a used one makes
//! ext4 hand out the freed inodes again, which is several times slower than any user's first start.
//!
//! Nothing here clears the kernel's page cache: *cold* means that the launcher's own caches are empty.

mod chart;
mod child;
mod environment;
mod error;
mod host;
mod json;
mod marks;
mod random;
mod report;
mod session;
mod statistics;
mod subject;
mod table;
mod toolbox;
mod workshop;

pub use chart::{Bar, Chart, Group, Role};
pub use child::Sample;
pub use environment::{Environment, mount_seed};
pub use error::BenchError;
pub use host::Host;
pub use json::{from_json, to_json};
pub use marks::fill;
pub use report::{Comparison, Measure, comparison_chart, comparison_table, milliseconds, ratio};
pub use session::{Session, Settings, State};
pub use statistics::{Summary, geometric_mean};
pub use subject::{Series, Subject};
pub use table::{Align, Table};
pub use toolbox::{PythonEnvironment, embed, execute, once, plain, write};
pub use workshop::{App, PEX, Tools, Workshop};
