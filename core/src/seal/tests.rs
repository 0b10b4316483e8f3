//! Seals as bytes, and where a stub keeps its own.

use alloc::vec;

use super::*;

fn sample() -> Seal {
    Seal {
        sealed: true,
        fingerprint: [1; 32],
        stub_size: 2,
        engine_size: 3,
        engine_full_size: u64::MAX,
        engine_digest: [5; 32],
        engine_sum: [8; 8],
        archive_size: 6,
        file_size: 7,
        bytecode: [9; 32],
        options: Options {
            host_site: Some(true),
            venv: true,
        },
        pex_root: b"~/\xff root".to_vec(),
        version: *b"0.1.0-sample.161",
    }
}

#[test]
fn what_is_encoded_is_decoded() {
    for seal in [
        Seal::default(),
        sample(),
        Seal {
            sealed: false,
            ..sample()
        },
        Seal {
            options: Options::default(),
            ..sample()
        },
        Seal {
            options: Options {
                host_site: Some(false),
                ..Options::default()
            },
            ..sample()
        },
        Seal {
            pex_root: vec![b'x'; PEX_ROOT_MAX],
            ..sample()
        },
    ] {
        let bytes = seal.encode().unwrap();
        assert_eq!(Seal::decode(&bytes), Some(seal));
    }
}

#[test]
fn the_unsealed_pattern_is_the_default_seal() {
    assert_eq!(Seal::default().encode(), Some(Seal::UNSEALED));
    assert_eq!(Seal::decode(&Seal::UNSEALED), Some(Seal::default()));
}

#[test]
fn a_root_that_does_not_fit_is_refused() {
    assert_eq!(
        Seal {
            pex_root: vec![b'x'; PEX_ROOT_MAX + 1],
            ..sample()
        }
        .encode(),
        None
    );
}

#[test]
fn what_is_not_a_seal_is_refused() {
    let good = sample().encode().unwrap();
    assert_eq!(Seal::decode(&[]), None);
    assert_eq!(Seal::decode(&good[..SEAL_SIZE - 1]), None);
    assert_eq!(Seal::decode(&[0; SEAL_SIZE]), None);
    let damaged = |at: usize, value: u8| {
        let mut bytes = good;
        bytes[at] = value;
        Seal::decode(&bytes)
    };
    assert_eq!(damaged(0, b'P'), None, "magic");
    assert_eq!(damaged(8, 9), None, "version");
    assert_eq!(damaged(12, 16), None, "unknown flag");
    assert_eq!(damaged(12, 10), None, "one option and its opposite");
    assert_eq!(damaged(161, 8), None, "length of the root");
    assert_eq!(
        damaged(SEAL_SIZE - VERSION_MAX - 1, 1),
        None,
        "something behind the end"
    );
}

#[test]
fn the_fields_stand_where_the_format_says() {
    let bytes = sample().encode().unwrap();
    assert_eq!(&bytes[..16], b"pexseal\0\x04\0\0\0\x07\0\0\0");
    assert_eq!(bytes[16..48], [1; 32]);
    assert_eq!(bytes[48..56], 2u64.to_le_bytes());
    assert_eq!(bytes[72..104], [5; 32]);
    assert_eq!(bytes[104..112], [8; 8]);
    assert_eq!(bytes[120..128], 7u64.to_le_bytes());
    assert_eq!(bytes[128..160], [9; 32]);
    assert_eq!(&bytes[160..172], b"\x08\0\0\0~/\xff root");
}

/// An ELF file of one program header, of this type, that leads to a note of `size` bytes at 0x400.
fn elf(kind: u8, size: usize) -> Vec<u8> {
    let mut file = vec![0; 0x400 + NOTE_HEADER + SEAL_SIZE];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[0x20] = 0x40;
    file[0x36] = 56;
    file[0x38] = 1;
    file[0x40] = kind;
    file[0x48..0x50].copy_from_slice(&0x400u64.to_le_bytes());
    file[0x60..0x68].copy_from_slice(&(size as u64).to_le_bytes());
    file[0x400..0x414].copy_from_slice(&NOTE);
    file
}

#[test]
fn the_seal_is_found_by_its_note() {
    let whole = NOTE_HEADER + SEAL_SIZE;
    assert_eq!(offset(&elf(4, whole)), Some(0x414));
    assert_eq!(offset(&elf(1, whole)), None, "no note");
    assert_eq!(offset(&elf(4, whole - 1)), None, "another size");
    assert_eq!(offset(b"#!/usr/bin/env python\n"), None);
    let good = elf(4, whole);
    for cut in 0..good.len() {
        assert_eq!(offset(&good[..cut]), None, "cut at {cut}");
    }
    for at in 0..0x414 {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            // Whatever it says, what it names is inside the file.
            assert!(offset(&bytes).is_none_or(|found| found + SEAL_SIZE <= bytes.len()));
        }
    }
}

#[test]
fn the_version_is_shown_and_is_no_part_of_the_key() {
    let mut seal = sample();
    let key = seal.written();
    seal.version = *b"1.2.3\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(Seal::decode(&seal.encode().unwrap()), Some(seal.clone()));
    assert_eq!((seal.version(), seal.written()), ("1.2.3", key));
}
