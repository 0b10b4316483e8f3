//! RECORD: the list of a wheel's installed files with hash and size (PEP 376, PEP 627), as CSV.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::hashing::hash_file;

/// One line of a RECORD.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// Relative to the directory that holds the `.dist-info`, `/`-separated.
    pub path: String,
    /// `sha256=<unpadded URL-safe base64>`, or empty.
    pub hash: String,
    /// Bytes, or empty.
    pub size: String,
}

impl Row {
    /// A row that names a file and says nothing of it.
    pub fn bare(path: &str) -> Row {
        Row {
            path: path.to_owned(),
            hash: String::new(),
            size: String::new(),
        }
    }

    /// The row of `path` for a file of these bytes.
    pub fn of_bytes(path: &str, bytes: &[u8]) -> Row {
        Row {
            path: path.to_owned(),
            hash: format!("sha256={}", base64(&Sha256::digest(bytes))),
            size: bytes.len().to_string(),
        }
    }

    /// The row of `path` for the file at `file`.
    pub fn of(path: &str, file: &Path) -> io::Result<Row> {
        let (hash, size) = hash_file::<Sha256>(file)?;
        Ok(Row {
            path: path.to_owned(),
            hash: format!("sha256={}", base64(&hash)),
            size: size.to_string(),
        })
    }
}

/// The rows of a RECORD; lines that are none are passed over.
pub(super) fn parse(text: &str) -> Vec<Row> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut fields = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let (field, left) = field(text)?;
        fields.push(field);
        rest = left;
    }
    let mut fields = fields.into_iter();
    let path = fields.next().filter(|path| !path.is_empty())?;
    Some(Row {
        path,
        hash: fields.next()?,
        size: fields.next()?,
    })
}

/// The first field and what follows its comma.
fn field(text: &str) -> Option<(String, Option<&str>)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        return Some(match text.split_once(',') {
            Some((field, rest)) => (field.to_owned(), Some(rest)),
            None => (text.to_owned(), None),
        });
    };
    let mut field = String::new();
    loop {
        let (part, behind) = rest.split_once('"')?;
        field.push_str(part);
        if let Some(behind) = behind.strip_prefix('"') {
            field.push('"');
            rest = behind;
        } else if behind.is_empty() {
            return Some((field, None));
        } else {
            return Some((field, Some(behind.strip_prefix(',')?)));
        }
    }
}

/// The text of a RECORD.
pub(super) fn text(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let fields = [&row.path, &row.hash, &row.size].map(|field| quoted(field));
        out.push_str(&fields.join(","));
        out.push('\n');
    }
    out
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Base64 with the URL-safe alphabet and no padding (RFC 4648, section 5).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = (u32::from(chunk[0]) << 16)
            | (u32::from(chunk.get(1).copied().unwrap_or(0)) << 8)
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for digit in 0..=chunk.len() {
            out.push(char::from(
                ALPHABET[(word >> (18 - 6 * digit)) as usize & 63],
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Row, base64, parse, text};

    #[test]
    fn rows_are_read_and_written_as_csv() {
        let record = "a/b.py,sha256=x,3\n\"odd, \"\"name\"\".py\",,\nRECORD,,\n";
        let rows = parse(record);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1], Row::bare("odd, \"name\".py"));
        assert_eq!(text(&rows), record);
        assert_eq!(parse("a.py,sha256=x,1\r\n")[0].size, "1");
        assert_eq!(parse("\"unclosed\nno fields\n,,\n"), []);
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
