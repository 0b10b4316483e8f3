//! RECORD: the list of a wheel's files with hash and size (PEP 376, PEP 627), as Python's `csv` reads and writes it.

use sha2::{Digest as _, Sha256};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// Path below the directory that holds the `.dist-info`; of a directory with a `/` at the end.
    pub(crate) path: String,
    /// `ALGORITHM=DIGEST`, or empty.
    pub(crate) hash: String,
    /// Bytes, or empty.
    pub(crate) size: String,
}

impl Row {
    /// A path without hash and size.
    pub(crate) fn bare(path: &str) -> Row {
        Row {
            path: path.to_owned(),
            hash: String::new(),
            size: String::new(),
        }
    }

    /// A file with this content.
    pub(crate) fn of_bytes(path: &str, bytes: &[u8]) -> Row {
        Row::hashed(path, &Sha256::digest(bytes), bytes.len() as u64)
    }

    /// A file with this SHA-256 and size.
    pub(crate) fn hashed(path: &str, digest: &[u8], size: u64) -> Row {
        Row {
            path: path.to_owned(),
            hash: format!("sha256={}", base64(digest)),
            size: size.to_string(),
        }
    }

    /// Whether it is a directory's: no file, but found in the wild.
    pub(crate) fn is_directory(&self) -> bool {
        self.path.ends_with('/')
    }
}

/// A RECORD that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRecord {
    /// It is no text.
    #[error("RECORD is not UTF-8")]
    Text,
    /// A size is no number.
    #[error("RECORD has the size `{}`", .0.escape_debug())]
    Size(String),
    /// A line has more or fewer fields.
    #[error("RECORD's line `{}` has not three fields", .0.escape_debug())]
    Fields(String),
}

/// The line ending of a RECORD: that of its first line.
pub(crate) fn line_ending(bytes: &[u8]) -> &'static str {
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or(bytes);
    if first.ends_with(b"\r") { "\r\n" } else { "\n" }
}

/// Where Python's `str.splitlines` divides a text.
const LINE_ENDS: [char; 10] = [
    '\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}',
];

/// Reads a RECORD.
///
/// # Errors
/// When a row has not three fields, or its size is no number.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Row>, InvalidRecord> {
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidRecord::Text)?;
    let mut lines = text.split(LINE_ENDS).filter(|line| !line.is_empty());
    let mut rows = Vec::new();
    while let Some(line) = lines.next() {
        rows.push(row(line, &mut lines)?);
    }
    Ok(rows)
}

/// The row that begins with this line.
fn row<'t>(line: &'t str, more: &mut impl Iterator<Item = &'t str>) -> Result<Row, InvalidRecord> {
    let mut fields = fields(line, more).into_iter();
    match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some(path), Some(hash), Some(size), None) => {
            let size = match size.trim().parse::<u64>() {
                Ok(size) => size.to_string(),
                Err(_) if size.is_empty() => size,
                Err(_) => return Err(InvalidRecord::Size(size)),
            };
            Ok(Row { path, hash, size })
        }
        _ => Err(InvalidRecord::Fields(line.to_owned())),
    }
}

/// The fields of one row of comma-separated values. What is quoted may go on in lines to come.
fn fields<'t>(line: &'t str, more: &mut impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut line = Some(line);
    while let Some(text) = line {
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' if quoted && characters.peek() == Some(&'"') => {
                    characters.next();
                    field.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if field.is_empty() => quoted = true,
                ',' if !quoted => fields.push(std::mem::take(&mut field)),
                other => field.push(other),
            }
        }
        line = if quoted { more.next() } else { None };
    }
    fields.push(field);
    fields
}

/// The RECORD as bytes.
pub(crate) fn write(rows: &[Row], eol: &str) -> Vec<u8> {
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
pub(crate) fn of_files<'p>(paths: impl Iterator<Item = &'p str>) -> Vec<Row> {
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
pub(crate) fn normal(path: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the original reads of the same text.
    #[test]
    fn rows_are_read_as_the_original_does() {
        #[track_caller]
        fn check(text: &str, expected: &[(&str, &str, &str)]) {
            let rows = read(text.as_bytes()).unwrap();
            let rows: Vec<_> = rows
                .iter()
                .map(|row| (row.path.as_str(), row.hash.as_str(), row.size.as_str()))
                .collect();
            assert_eq!(rows, expected, "{text:?}");
        }
        check("a,b,1", &[("a", "b", "1")]);
        check("\"a,\"\"b\"\"\",,", &[("a,\"b\"", "", "")]);
        check("a,,007", &[("a", "", "7")]);
        check("a,, 1 ", &[("a", "", "1")]);
        check("a,,1\r\n\n\rb,,2", &[("a", "", "1"), ("b", "", "2")]);
        check("\"ab,,\nc\",,", &[("ab,,c", "", "")]);
        check("\"x\n,y\",s,1", &[("x,y", "s", "1")]);
        check("\"a\"b,,", &[("ab", "", "")]);
        check("a\"b\",,", &[("a\"b\"", "", "")]);
        check(" a , b , 1", &[(" a ", " b ", "1")]);
        check(",,", &[("", "", "")]);
        check("", &[]);
    }

    #[test]
    fn what_the_original_cannot_read_is_an_error() {
        #[track_caller]
        fn check(bytes: &[u8], expected: &str) {
            assert_eq!(read(bytes).unwrap_err().to_string(), expected);
        }
        check(b"a,,\na,b", "RECORD's line `a,b` has not three fields");
        check(b"a,,,", "RECORD's line `a,,,` has not three fields");
        check(
            b"\"unclosed",
            "RECORD's line `\\\"unclosed` has not three fields",
        );
        check(
            "a\u{2028}b,,".as_bytes(),
            "RECORD's line `a` has not three fields",
        );
        check(b"a,,x", "RECORD has the size `x`");
        check(b"\xff,,", "RECORD is not UTF-8");
    }

    #[test]
    fn rows_are_written_as_they_were_read() {
        let rows = [Row::bare("a \"b\",c"), Row::of_bytes("x", b"hello")];
        let text = "\"a \"\"b\"\",c\",,\nx,sha256=LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ,5\n";
        assert_eq!(write(&rows, "\n"), text.as_bytes());
        assert_eq!(read(text.as_bytes()).unwrap(), rows);
        let windows = write(&rows, "\r\n");
        assert_eq!(read(&windows).unwrap(), rows);
        assert_eq!(
            (line_ending(&windows), line_ending(b"a,,\n")),
            ("\r\n", "\n")
        );
    }

    #[test]
    fn paths_are_without_detours() {
        assert_eq!(normal("a/./b//../c").as_deref(), Some("a/c"));
        assert_eq!(normal("../a"), None);
    }

    #[test]
    fn base64_is_urlsafe_without_padding() {
        let check = |bytes: &[u8], expect: &str| assert_eq!(base64(bytes), expect);
        check(b"", "");
        check(b"f", "Zg");
        check(b"fo", "Zm8");
        check(b"foo", "Zm9v");
        check(&[0xfb, 0xff, 0xfe], "-__-");
    }
}
