//! The machine that figures come from: without it they mean nothing.

use std::fs;
use std::path::Path;

use nix::sys::statfs;
use serde_json::{Value, json};

/// What a reader of figures needs to know of the machine.
#[derive(Debug, Clone)]
pub struct Host {
    /// The CPU's model name.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The distribution.
    pub system: String,
    /// The kernel's release.
    pub kernel: String,
    /// The file system that the caches were on.
    pub file_system: String,
    /// The load average of the last minute when measuring began: an idle machine has little of it.
    pub load: String,
}

impl Host {
    /// This machine, with the file system at `scratch`.
    #[must_use]
    pub fn here(scratch: &Path) -> Host {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Host {
            cpu: field(&read("/proc/cpuinfo"), "model name", ':'),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_kib("MemTotal") / 1024,
            system: field(&read("/etc/os-release"), "PRETTY_NAME", '='),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(scratch).to_owned(),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// In one line, for reports.
    #[must_use]
    pub fn line(&self) -> String {
        let Host {
            cpu,
            cpus,
            memory_mib,
            system,
            kernel,
            file_system,
            load,
        } = self;
        format!(
            "{cpu}, {cpus} CPUs, {memory_mib} MiB, {system}, Linux {kernel}, {file_system}, load {load} at the start"
        )
    }

    /// As JSON, for raw data.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cpus": self.cpus,
            "memory_mib": self.memory_mib,
            "system": self.system,
            "kernel": self.kernel,
            "file_system": self.file_system,
            "load": self.load,
        })
    }

    /// What [`Host::to_json`] wrote.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Host> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Host {
            cpu: text("cpu")?,
            cpus: value["cpus"].as_u64()?.try_into().ok()?,
            memory_mib: value["memory_mib"].as_u64()?,
            system: text("system")?,
            kernel: text("kernel")?,
            file_system: text("file_system")?,
            load: text("load")?,
        })
    }
}

/// The value of the first line `NAME <separator> VALUE`, quotes and white space taken off.
fn field(text: &str, name: &str, separator: char) -> String {
    let value = text.lines().find_map(|line| {
        line.split_once(separator)
            .filter(|(key, _)| key.trim() == name)
    });
    value
        .map_or("unknown", |(_, value)| value.trim().trim_matches('"'))
        .to_owned()
}

/// A figure of proc_meminfo(5); 0 where there is none.
pub(super) fn memory_kib(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = field(&text, name, ':');
    let number = value.split(' ').next().and_then(|kib| kib.parse().ok());
    number.unwrap_or(0)
}

/// A name for the file system that `path` lies on (statfs(2) lists the magic numbers).
fn file_system(path: &Path) -> &'static str {
    let Ok(statistics) = statfs::statfs(path) else {
        return "unknown";
    };
    let names = [
        (statfs::EXT4_SUPER_MAGIC, "ext4"),
        (statfs::BTRFS_SUPER_MAGIC, "btrfs"),
        (statfs::XFS_SUPER_MAGIC, "xfs"),
        (statfs::TMPFS_MAGIC, "tmpfs"),
        (statfs::OVERLAYFS_SUPER_MAGIC, "overlayfs"),
        (statfs::NFS_SUPER_MAGIC, "nfs"),
    ];
    names
        .iter()
        .find(|(magic, _)| *magic == statistics.filesystem_type())
        .map_or("another file system", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_reads_as_it_was_written() {
        let host = Host::here(Path::new("/"));
        let read = Host::from_json(&host.to_json()).unwrap();
        assert_eq!(read.line(), host.line());
        assert!(Host::from_json(&json!({})).is_none());
    }

    #[test]
    fn fields_lose_quotes_and_space() {
        assert_eq!(
            field("NAME=x\nPRETTY_NAME=\"Some Linux 1\"\n", "PRETTY_NAME", '='),
            "Some Linux 1"
        );
        assert_eq!(
            field("model name\t: A CPU @ 2.0 GHz\n", "model name", ':'),
            "A CPU @ 2.0 GHz"
        );
        assert_eq!(field("", "x", ':'), "unknown");
    }
}
