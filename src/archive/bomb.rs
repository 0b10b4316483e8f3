//! Zip bombs: how much an archive may inflate to as a whole.
//!
//! Members do not overlap and deflate packs no better than 1032 to 1, so that what comes out is bounded by what went in; a
//! thousand times a download may still be more than a disk holds. Python code packs three or four to one, and tables
//! seldom better than twenty to one.

use std::ffi::OsStr;

use super::{ArchiveError, Entry};
use crate::archive::source::Source;

/// The user's own word: bytes, with K, M, G or T behind them, or `unlimited`.
pub(super) const VARIABLE: &str = "PEXBOOT_MAX_UNPACKED";

/// Up to this much no archive is looked at twice, in bytes.
const UNSUSPICIOUS: u64 = 256 << 20;
/// Beyond it, as many times the archive's own size.
const RATIO: u64 = 100;

/// Refuses an archive whose members would inflate to more than they may.
pub(super) fn check(source: &Source, entries: &[Entry]) -> Result<(), ArchiveError> {
    let size = entries
        .iter()
        .fold(0, |sum: u64, entry| sum.saturating_add(entry.size));
    let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let limit = match &value {
        None => UNSUSPICIOUS.max(source.len().saturating_mul(RATIO)),
        Some(value) => parse(value).ok_or_else(|| ArchiveError::Limit {
            value: value.to_string_lossy().into_owned(),
        })?,
    };
    if size <= limit {
        return Ok(());
    }
    Err(ArchiveError::Bomb {
        path: source.path().to_path_buf(),
        size,
        limit,
    })
}

/// Reads `4096`, `500M`, `2G`, `unlimited`.
fn parse(value: &OsStr) -> Option<u64> {
    let text = value.to_str()?;
    if text == "unlimited" {
        return Some(u64::MAX);
    }
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    if digits.starts_with('+') {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let read = |text: &str| parse(OsStr::new(text));
        assert_eq!(read("4096"), Some(4096));
        assert_eq!(read("500M"), Some(500 << 20));
        assert_eq!(read("2T"), Some(2 << 40));
        assert_eq!(read("unlimited"), Some(u64::MAX));
        for text in ["", "M", "-1", "1x", "1 G", "99999999T", "+5"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
