//! The paths of a launch's data, read back for someone who looks.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use super::Py;

/// The paths that a list or text of that name in the marshalled dict `data` holds; none where there is no such name.
#[must_use]
pub fn paths(data: &[u8], name: &str) -> Vec<PathBuf> {
    let name = Py::str(name).marshal();
    let Some(at) = data.windows(name.len()).position(|found| found == name) else {
        return Vec::new();
    };
    let mut rest = &data[at + name.len()..];
    let count = match take(&mut rest, 1) {
        Some(b"[") => size(&mut rest).unwrap_or(0),
        Some(b"u") => return text(&mut rest).into_iter().collect(),
        _ => 0,
    };
    let item = |_| match take(&mut rest, 1) {
        Some(b"u") => text(&mut rest),
        _ => None,
    };
    (0..count).map_while(item).collect()
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn size(rest: &mut &[u8]) -> Option<usize> {
    let bytes = take(rest, 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// A text; lone surrogates are the bytes that they stand for (PEP 383).
fn text(rest: &mut &[u8]) -> Option<PathBuf> {
    let length = size(rest)?;
    let mut bytes = take(rest, length)?;
    let mut plain = Vec::with_capacity(bytes.len());
    while let Some((&first, more)) = bytes.split_first() {
        match bytes {
            [0xED, high @ 0xB2..=0xB3, low, left @ ..] => {
                plain.push(high << 6 | low & 0x3F);
                bytes = left;
            }
            _ => {
                plain.push(first);
                bytes = more;
            }
        }
    }
    Some(OsString::from_vec(plain).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marshalled_is_read_back() {
        let odd = PathBuf::from(OsString::from_vec(b"/caf\xe9\xff/\x80".to_vec()));
        let data = Py::Dict(vec![
            ("venv", Py::None),
            (
                "code",
                Py::paths([&odd, &PathBuf::from("/gr\u{fc}\u{df}e")]),
            ),
            ("site", Py::List(Vec::new())),
            ("path", Py::path(&odd)),
        ])
        .marshal();
        assert_eq!(
            paths(&data, "code"),
            [odd.clone(), "/gr\u{fc}\u{df}e".into()]
        );
        assert_eq!(paths(&data, "path"), [odd]);
        for name in ["venv", "site", "other"] {
            assert!(paths(&data, name).is_empty(), "{name}");
        }
        assert!(paths(&data[..30], "code").is_empty());
    }
}
