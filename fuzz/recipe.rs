//! Zip files made after a recipe, which is any bytes: names, modes, methods and contents of a few members as pex could
//! have stored them or not; then, where the recipe asks for it, headers that lie.

/// An archive.
pub struct Made {
    /// Its bytes: a shebang line and a zip.
    pub bytes: Vec<u8>,
    /// Whether a header lies; such a file may be refused by one reader and not by the other.
    pub odd: bool,
    names: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.names.iter().map(|name| name.escape_ascii()).collect();
        write!(out, "members {names:?}, odd: {}", self.odd)
    }
}

/// Components that names are made of.
const PARTS: [&[u8]; 20] = [
    b"a", b"b", b"C", b"c", b"..", b".", b"", b"d d", b"\xc3\xa9", b"\x82", b"x.py", b"-", b"e\\f", b"~", b"__pycache__",
    b"\xff", b"\n", b"a.pyc", b"CON", b"a:b",
];

/// The recipe, read byte by byte; zeros behind its end.
struct Recipe<'a>(&'a [u8]);

impl Recipe<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }
}

/// One member's fields, as they stand in its two headers.
struct Member {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    stored: Vec<u8>,
    size: u32,
    mode: u32,
    offset: u32,
    extra: Vec<u8>,
    comment: Vec<u8>,
}

impl Member {
    fn shared(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(20u16.to_le_bytes());
        for value in [self.flags, self.method, 0, 0x21] {
            out.extend(value.to_le_bytes());
        }
        for value in [self.crc, self.stored.len() as u32, self.size] {
            out.extend(value.to_le_bytes());
        }
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend((self.extra.len() as u16).to_le_bytes());
        out
    }
}

/// Makes the archive.
pub fn make(recipe: &[u8]) -> Made {
    let mut recipe = Recipe(recipe);
    let mut bytes = b"#!/usr/bin/env python3\n".to_vec();
    let mut members = Vec::new();
    let info = br#"{"entry_point":"m"}"#;
    members.push(member(b"PEX-INFO".to_vec(), info.to_vec(), 0, &mut recipe));
    let mut names = Vec::new();
    for _ in 0..=recipe.below(8) {
        let mut name = b"u".to_vec();
        for part in 0..=recipe.below(4) {
            if part > 0 {
                name.push(b'/');
            }
            match recipe.below(24) {
                known @ 0..20 => name.extend(PARTS[known]),
                20 => name.extend(vec![b'n'; 240 + recipe.below(24)]),
                21 => name.push(recipe.byte()),
                _ => name.extend([recipe.byte(), recipe.byte()]),
            }
        }
        if recipe.below(8) == 0 {
            name.insert(0, b'/');
        }
        if recipe.below(8) == 0 {
            name.push(b'/');
        }
        names.push(name.clone());
        let length = recipe.below(64);
        let content = match recipe.below(4) {
            0 => Vec::new(),
            1 => (0..length).map(|_| recipe.byte()).collect(),
            _ => vec![recipe.byte(); length * 97],
        };
        let method = [0, 8, 8][recipe.below(3)];
        members.push(member(name, content, method, &mut recipe));
    }
    for member in &mut members {
        member.offset = bytes.len() as u32;
        bytes.extend(b"PK\x03\x04");
        bytes.extend(member.shared());
        bytes.extend(&member.name);
        bytes.extend(&member.extra);
        bytes.extend(&member.stored);
    }
    let start = bytes.len();
    for member in &members {
        bytes.extend(b"PK\x01\x02");
        bytes.extend((3u16 << 8 | 20).to_le_bytes());
        bytes.extend(member.shared());
        bytes.extend((member.comment.len() as u16).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((member.mode << 16).to_le_bytes());
        bytes.extend(member.offset.to_le_bytes());
        bytes.extend(&member.name);
        bytes.extend(&member.extra);
        bytes.extend(&member.comment);
    }
    let size = bytes.len() - start;
    let comment = recipe.below(3) * 20;
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((size as u32).to_le_bytes());
    bytes.extend((start as u32).to_le_bytes());
    bytes.extend((comment as u16).to_le_bytes());
    bytes.extend(vec![b'c'; comment]);
    // A prefix that no offset counts, as a launcher in front of a zip is.
    if recipe.below(8) == 1 {
        bytes.splice(0..0, b"#!prefix\n".iter().copied());
    }
    let lies = [0, 0, 0, 0, 1, 2, 3][recipe.below(7)];
    for _ in 0..lies {
        let from_end = recipe.below(4) * 256 + recipe.below(256);
        let at = bytes.len() - 1 - from_end.min(bytes.len() - 1);
        bytes[at] = recipe.byte();
    }
    Made {
        bytes,
        odd: lies > 0,
        names,
    }
}

fn member(name: Vec<u8>, content: Vec<u8>, method: u16, recipe: &mut Recipe<'_>) -> Member {
    let is_text = std::str::from_utf8(&name).is_ok();
    // Python's own writer flags what is not ASCII; without the flag a name is code page 437.
    let flagged = is_text && recipe.below(2) == 0;
    let stored = if method == 8 {
        deflate(&content)
    } else {
        content.clone()
    };
    Member {
        flags: if flagged { 1 << 11 } else { 0 },
        method,
        crc: crc32fast::hash(&content),
        size: content.len() as u32,
        stored,
        mode: [0, 0o100_644, 0o100_755, 0o120_777, 0o104_711, 0o020_666, 0o040_755][recipe.below(7)],
        offset: 0,
        extra: match recipe.below(8) {
            // An extended time stamp; a field of nobody.
            1 => b"\x55\x54\x05\x00\x01\0\0\0\0".to_vec(),
            2 => b"\xfe\xca\x00\x00".to_vec(),
            _ => Vec::new(),
        },
        comment: vec![b'k'; recipe.below(3)],
        name,
    }
}

fn deflate(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    out.write_all(content).expect("memory");
    out.finish().expect("memory")
}
