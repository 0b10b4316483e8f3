//! Zips for tests, written header by header so that each field can be made to lie.

use std::path::{Path, PathBuf};

use super::directory::{CENTRAL, END, END64, LOCATOR64, ZIP64_FIELD};
use super::member::LOCAL;

/// A member to be written.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub name: Vec<u8>,
    pub local_name: Option<Vec<u8>>,
    pub data: Vec<u8>,
    pub size: u64,
    pub crc32: u32,
    pub method: u16,
    pub local_method: Option<u16>,
    pub flags: u16,
    pub mode: u32,
    pub local_extra: Vec<u8>,
    /// Offset to claim instead of the real one.
    pub offset: Option<u64>,
    /// Whether sizes and offset are moved to a zip64 field.
    pub zip64: bool,
    /// Whether no local header and data are written.
    pub central_only: bool,
}

/// A stored file of mode 0644.
pub(crate) fn stored(name: &str, data: &[u8]) -> Member {
    Member {
        name: name.into(),
        local_name: None,
        data: data.into(),
        size: data.len() as u64,
        crc32: libdeflater::crc32(data),
        method: 0,
        local_method: None,
        flags: if name.is_ascii() { 0 } else { 1 << 11 },
        mode: 0o100_644,
        local_extra: Vec::new(),
        offset: None,
        zip64: false,
        central_only: false,
    }
}

/// A deflated file of mode 0644.
pub(crate) fn deflated(name: &str, data: &[u8]) -> Member {
    let mut deflate = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut compressed = vec![0; deflate.deflate_compress_bound(data.len())];
    let length = deflate.deflate_compress(data, &mut compressed).unwrap();
    compressed.truncate(length);
    Member {
        data: compressed,
        method: 8,
        ..Member {
            ..stored(name, data)
        }
    }
}

/// What surrounds the members.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub prefix: Vec<u8>,
    /// Whether offsets leave the prefix out.
    pub not_rebased: bool,
    pub comment: Vec<u8>,
    pub trailing: Vec<u8>,
    pub zip64: bool,
    /// Count to claim instead of the real one.
    pub count: Option<u64>,
    /// Added to the directory's offset.
    pub skew: i64,
}

/// The zip's bytes.
pub(crate) fn build(members: &[Member], shape: &Shape) -> Vec<u8> {
    let mut out = shape.prefix.clone();
    let base = if shape.not_rebased {
        shape.prefix.len() as u64
    } else {
        0
    };
    let mut central = Vec::new();
    for member in members {
        let offset = member.offset.unwrap_or(out.len() as u64 - base);
        let name = member.local_name.as_ref().unwrap_or(&member.name);
        if !member.central_only {
            out.extend(LOCAL);
            out.extend([20, 0]);
            out.extend(member.flags.to_le_bytes());
            out.extend(member.local_method.unwrap_or(member.method).to_le_bytes());
            out.extend([0, 0, 33, 0]);
            out.extend(member.crc32.to_le_bytes());
            out.extend((member.data.len() as u32).to_le_bytes());
            out.extend((member.size as u32).to_le_bytes());
            out.extend((name.len() as u16).to_le_bytes());
            out.extend((member.local_extra.len() as u16).to_le_bytes());
            out.extend(name);
            out.extend(&member.local_extra);
            out.extend(&member.data);
        }

        central.extend(CENTRAL);
        central.extend([20, 3, 20, 0]);
        central.extend(member.flags.to_le_bytes());
        central.extend(member.method.to_le_bytes());
        central.extend([0, 0, 33, 0]);
        central.extend(member.crc32.to_le_bytes());
        let (mut extra, mut compressed, mut size, mut at) = (
            Vec::new(),
            member.data.len() as u32,
            member.size as u32,
            offset as u32,
        );
        if member.zip64 {
            (compressed, size, at) = (u32::MAX, u32::MAX, u32::MAX);
            extra.extend(ZIP64_FIELD.to_le_bytes());
            extra.extend(24u16.to_le_bytes());
            for value in [member.size, member.data.len() as u64, offset] {
                extra.extend(value.to_le_bytes());
            }
        }
        central.extend(compressed.to_le_bytes());
        central.extend(size.to_le_bytes());
        central.extend((member.name.len() as u16).to_le_bytes());
        central.extend((extra.len() as u16).to_le_bytes());
        central.extend([0; 6]);
        central.extend((member.mode << 16).to_le_bytes());
        central.extend(at.to_le_bytes());
        central.extend(&member.name);
        central.extend(&extra);
    }
    let offset = (out.len() as u64 - base).wrapping_add_signed(shape.skew);
    let count = shape.count.unwrap_or(members.len() as u64);
    out.extend(&central);
    if shape.zip64 {
        let at = out.len() as u64 - base;
        out.extend(END64);
        out.extend(44u64.to_le_bytes());
        out.extend([45, 3, 45, 0]);
        out.extend([0; 8]);
        for value in [count, count, central.len() as u64, offset] {
            out.extend(value.to_le_bytes());
        }
        out.extend(LOCATOR64);
        out.extend([0; 4]);
        out.extend(at.to_le_bytes());
        out.extend(1u32.to_le_bytes());
    }
    let short = |value: u64| if shape.zip64 { u16::MAX } else { value as u16 };
    let long = |value: u64| if shape.zip64 { u32::MAX } else { value as u32 };
    out.extend(END);
    out.extend([0; 4]);
    out.extend(short(count).to_le_bytes());
    out.extend(short(count).to_le_bytes());
    out.extend(long(central.len() as u64).to_le_bytes());
    out.extend(long(offset).to_le_bytes());
    out.extend((shape.comment.len() as u16).to_le_bytes());
    out.extend(&shape.comment);
    out.extend(&shape.trailing);
    out
}

/// Writes a file into `directory`.
pub(crate) fn file(directory: &Path, bytes: &[u8]) -> PathBuf {
    let path = directory.join("t.pex");
    std::fs::write(&path, bytes).unwrap();
    path
}
