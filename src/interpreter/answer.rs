//! What a Python says of itself: the fields that `probe.py` writes, read strictly.
//!
//! A field is `KEY LENGTH\n`, that many bytes, `\n`; the last one is called `end`. Interpreter records are kept in the
//! same form.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use pexboot_core::hex::hex;

use crate::boot::{Compiled, NAMES};

/// First line of a probe's answer; anything before it was printed by a wrapper.
const HEADER: &[u8] = b"pexboot probe 1\n";

/// A kernel, as uname(2) names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kernel {
    pub(super) system: String,
    pub(super) release: String,
    pub(super) version: String,
}

/// An interpreter's own account of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Answer {
    /// `sys.version_info[:3]`.
    pub(super) version: (u32, u32, u32),
    /// `platform.python_version()`: with the suffix of a pre-release.
    pub(super) full_version: String,
    /// `sys.executable`.
    pub(super) executable: PathBuf,
    /// `sys.implementation.name`.
    pub(super) implementation: String,
    /// `implementation_version` of PEP 508.
    pub(super) implementation_version: String,
    /// `sys.implementation.cache_tag`.
    pub(super) cache_tag: Option<String>,
    /// `sys.platform`.
    pub(super) platform: String,
    /// `os.uname().machine`.
    pub(super) machine: String,
    /// The rest of `os.uname()`.
    pub(super) kernel: Kernel,
    /// Whether it is a build without the global interpreter lock.
    pub(super) free_threaded: bool,
    /// Whether it is a debug build.
    pub(super) debug: bool,
    /// Whether pointers have four bytes.
    pub(super) narrow: bool,
    /// Version of the glibc it runs on.
    pub(super) glibc: Option<(u32, u32)>,
    /// `sys.prefix` as `site` would set it.
    pub(super) prefix: PathBuf,
    /// `sys.base_prefix`.
    pub(super) base_prefix: PathBuf,
    /// Whether the packages of the base, and of the user, count (they don't in most virtual environments).
    pub(super) system_site: bool,
    /// `sys.path` without `site`.
    pub(super) path: Vec<PathBuf>,
    /// `site.getsitepackages()`.
    pub(super) site: Vec<PathBuf>,
    /// The user's own site-packages, below `~` for the user's base.
    pub(super) user_site: Option<String>,
    /// `EXT_SUFFIX`.
    pub(super) ext_suffix: String,
    /// The magic number of its bytecode.
    pub(super) magic: Vec<u8>,
    /// The boot and what belongs to it.
    pub(super) compiled: Compiled,
    /// Libraries that are part of it: libpython, libc.
    pub(super) libraries: Vec<PathBuf>,
}

impl Answer {
    /// Reads what a probe printed. The error says which field is wrong.
    pub(super) fn parse(output: &[u8]) -> Result<Answer, String> {
        let start = output
            .windows(HEADER.len())
            .position(|window| window == HEADER)
            .ok_or_else(|| "it did not run the script it was given".to_owned())?;
        let mut answer = Answer {
            system_site: true,
            ..Answer::default()
        };
        let mut fields = Fields(&output[start + HEADER.len()..]);
        let mut complete = false;
        for (key, value) in &mut fields {
            match key {
                "version" => answer.version = version(value).ok_or("its version makes no sense")?.0,
                "implementation-version" => {
                    answer.implementation_version = version(value)
                        .ok_or("its implementation's version makes no sense")?
                        .1;
                }
                "full-version" => answer.full_version = text(value)?,
                "executable" => answer.executable = path(value),
                "implementation" => answer.implementation = text(value)?,
                "cache-tag" => answer.cache_tag = Some(text(value)?),
                "platform" => answer.platform = text(value)?,
                "machine" => answer.machine = lossy(value),
                "kernel-name" => answer.kernel.system = lossy(value),
                "kernel-release" => answer.kernel.release = lossy(value),
                "kernel-version" => answer.kernel.version = lossy(value),
                "abiflags" => answer.free_threaded = value.contains(&b't'),
                "debug" => answer.debug = value == b"1",
                "bits" => answer.narrow = value == b"32",
                "libc" => answer.glibc = glibc(value),
                "prefix" => answer.prefix = path(value),
                "base-prefix" => answer.base_prefix = path(value),
                "system-site" => answer.system_site = value == b"1",
                "path" => answer.path.push(path(value)),
                "site" => answer.site.push(path(value)),
                "user-site" => {
                    answer.user_site = Some(text(value)?).filter(|value| value.starts_with("~/"))
                }
                "ext-suffix" => answer.ext_suffix = text(value)?,
                "magic" => answer.magic = value.to_vec(),
                "library" => answer.libraries.push(path(value)),
                "end" => complete = true,
                _ => match NAMES.iter().position(|name| *name == key) {
                    Some(at) => answer.compiled.code[at] = value.to_vec(),
                    None => return Err(format!("it answered with an unknown field `{key}`")),
                },
            }
        }
        if !complete || answer.version.0 == 0 || answer.implementation.is_empty() {
            return Err("its answer is incomplete".to_owned());
        }
        Ok(answer)
    }

    /// Whether it has to compile the boot, and did not.
    pub(super) fn lacks_boot(&self) -> bool {
        self.compiled.is_empty() && self.version >= (3, 8, 0) && !self.magic.is_empty()
    }

    /// What its bytecode is known by.
    pub(super) fn tag(&self) -> Option<String> {
        tag(self.cache_tag.as_deref(), &self.magic)
    }
}

/// Cache tag and magic number, as in `cpython-311-a70d0d0a`; `None` where bytecode is not written.
pub(super) fn tag(cache_tag: Option<&str>, magic: &[u8]) -> Option<String> {
    Some(format!("{}-{}", cache_tag?, hex(magic)))
}

/// The fields of an answer or a record, until one is malformed or the bytes end.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let line_end = self.0.iter().position(|&byte| byte == b'\n')?;
        let (key, length) = std::str::from_utf8(&self.0[..line_end])
            .ok()?
            .split_once(' ')?;
        let rest = &self.0[line_end + 1..];
        let length = length.parse::<usize>().ok()?;
        let value = rest.get(..length)?;
        let rest = rest.get(length..)?.strip_prefix(b"\n")?;
        self.0 = rest;
        Some((key, value))
    }
}

/// Appends a field.
pub(super) fn field(output: &mut Vec<u8>, key: &str, value: &[u8]) {
    output.extend_from_slice(format!("{key} {}\n", value.len()).as_bytes());
    output.extend_from_slice(value);
    output.push(b'\n');
}

/// `MAJOR MINOR MICRO LEVEL SERIAL` as numbers and in the form of PEP 508's `implementation_version`.
fn version(value: &[u8]) -> Option<((u32, u32, u32), String)> {
    let mut words = std::str::from_utf8(value).ok()?.split(' ');
    let mut number = || words.next()?.parse::<u32>().ok();
    let (major, minor, micro) = (number()?, number()?, number()?);
    let level = words.next()?;
    let serial = words.next()?.parse::<u32>().ok()?;
    let suffix = match level.chars().next()? {
        'f' => String::new(),
        first => format!("{first}{serial}"),
    };
    Some((
        (major, minor, micro),
        format!("{major}.{minor}.{micro}{suffix}"),
    ))
}

/// `glibc X.Y`, whatever a vendor put behind it.
fn glibc(value: &[u8]) -> Option<(u32, u32)> {
    let (name, version) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let (major, rest) = version.split_once('.')?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    (name == "glibc").then_some((major.parse().ok()?, rest[..digits].parse().ok()?))
}

fn text(value: &[u8]) -> Result<String, String> {
    String::from_utf8(value.to_vec())
        .map_err(|_| "its answer is not UTF-8 where it should be".to_owned())
}

/// A text that may be anything: a kernel is named by whoever builds it.
fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn path(value: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for (key, value) in fields {
            field(&mut bytes, key, value.as_bytes());
        }
        bytes
    }

    const LEAST: [(&str, &str); 3] = [
        ("version", "3 13 0 candidate 2"),
        ("implementation", "cpython"),
        ("end", ""),
    ];

    #[test]
    fn values_may_hold_any_byte() {
        let mut bytes = b"greetings from a wrapper\n".to_vec();
        bytes.extend(answer(&[
            ("prefix", "/a\nb 3\nc"),
            ("path", ""),
            ("path", "/x y"),
        ]));
        bytes.extend(&answer(&LEAST)[HEADER.len()..]);
        let answer = Answer::parse(&bytes).unwrap();
        assert_eq!(answer.prefix, PathBuf::from("/a\nb 3\nc"));
        assert_eq!(answer.path, [PathBuf::from(""), PathBuf::from("/x y")]);
        assert_eq!(answer.version, (3, 13, 0));
    }

    #[test]
    fn a_pre_release_keeps_its_suffix() {
        assert_eq!(
            version(b"3 13 0 candidate 2"),
            Some(((3, 13, 0), "3.13.0c2".to_owned()))
        );
        assert_eq!(
            version(b"3 13 0 final 0"),
            Some(((3, 13, 0), "3.13.0".to_owned()))
        );
        assert_eq!(version(b"3 13 final 0"), None);
    }

    #[test]
    fn glibc_versions_with_a_tail_are_understood() {
        assert_eq!(glibc(b"glibc 2.36"), Some((2, 36)));
        assert_eq!(glibc(b"glibc 2.20-2014.11"), Some((2, 20)));
        assert_eq!(glibc(b"musl 1.2"), None);
        assert_eq!(glibc(b""), None);
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = answer(&LEAST);
        assert!(Answer::parse(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(Answer::parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for lie in [
            "end 99999999999999999999\n\n",
            "end -1\n\n",
            "end 1\n\n",
            "end\n\n",
        ] {
            let mut bytes = answer(&LEAST[..2]);
            bytes.extend(lie.as_bytes());
            assert!(Answer::parse(&bytes).is_err(), "{lie:?}");
        }
    }
}
