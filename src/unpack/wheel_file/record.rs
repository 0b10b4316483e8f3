//! RECORD (PEP 376): reading, writing, and making up what is missing.

use sha2::{Digest as _, Sha256};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Path below the wheel's root; of a directory with a `/` at the end.
    pub(super) path: String,
    /// `ALGORITHM=DIGEST`, or empty.
    pub(super) hash: String,
    /// Bytes, or empty.
    pub(super) size: String,
}

impl Row {
    /// A path without hash and size.
    pub(super) fn bare(path: &str) -> Row {
        Row {
            path: path.to_owned(),
            hash: String::new(),
            size: String::new(),
        }
    }

    /// A file with this content.
    pub(super) fn of_made(path: &str, bytes: &[u8]) -> Row {
        Row {
            path: path.to_owned(),
            hash: format!("sha256={}", base64(&Sha256::digest(bytes))),
            size: bytes.len().to_string(),
        }
    }
}

/// The line ending of a RECORD: that of its first line.
pub(super) fn line_ending(bytes: &[u8]) -> &'static str {
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or(bytes);
    if first.ends_with(b"\r") { "\r\n" } else { "\n" }
}

/// Reads a RECORD; says what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| "has a RECORD that is not UTF-8".to_owned())?;
    text.split(['\n', '\r'])
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut fields = fields(line).into_iter();
            match (fields.next(), fields.next(), fields.next(), fields.next()) {
                (Some(path), Some(hash), Some(size), None) => {
                    let size = match size.trim().parse::<u64>() {
                        Ok(size) => size.to_string(),
                        Err(_) if size.is_empty() => size,
                        Err(_) => return Err(format!("has a RECORD with the size `{size}`")),
                    };
                    Ok(Row { path, hash, size })
                }
                _ => Err(format!(
                    "has a RECORD whose line `{}` has not three fields",
                    line.escape_debug()
                )),
            }
        })
        .collect()
}

/// The fields of one line of comma-separated values.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        // There is always a last field.
        let Some(field) = fields.last_mut() else {
            break;
        };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

/// The RECORD as bytes.
pub(super) fn write(rows: &[Row], eol: &str) -> Vec<u8> {
    let mut text = String::new();
    for row in rows {
        for (index, field) in [&row.path, &row.hash, &row.size].into_iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if field.contains(['"', ',', '\n', '\r']) {
                text.push('"');
                text.push_str(&field.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(field);
            }
        }
        text.push_str(eol);
    }
    text.into_bytes()
}

/// Rows for these files, in the order of a sorted walk: a directory's files before its subdirectories.
pub(super) fn of_files<'p>(paths: impl Iterator<Item = &'p str>) -> Vec<Row> {
    let mut paths: Vec<(Vec<(bool, &str)>, &str)> = paths
        .map(|path| {
            let last = path.split('/').count() - 1;
            let parts = path.split('/').enumerate();
            (parts.map(|(at, part)| (at != last, part)).collect(), path)
        })
        .collect();
    paths.sort();
    paths.into_iter().map(|(_, path)| Row::bare(path)).collect()
}

/// A path of RECORD without empty, `.` and `..` components; `None` when it leaves the wheel.
pub(super) fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// URL-safe base64 without padding (PEP 376 by way of PEP 427).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .chain(&[0; 2])
            .take(3)
            .fold(0_u32, |group, &byte| group << 8 | u32::from(byte));
        for digit in 0..=chunk.len() {
            let index = group >> (18 - 6 * digit) & 0x3f;
            text.push(char::from(DIGITS[index as usize]));
        }
    }
    text
}
