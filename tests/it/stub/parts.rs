//! What the build made of stub and engine.

use pexboot::internals::parts::{self, SEAL_OFFSET, STUB};
use pexboot_core::seal::{SEAL_SIZE, Seal};
use sha2::{Digest, Sha256};

/// Program headers of a 64-bit ELF file: type and flags.
fn segments(elf: &[u8]) -> Vec<(u32, u32)> {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap());
    let half = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let (table, size, count) = (word(0x20) as usize, half(0x36), half(0x38));
    (0..count)
        .map(|i| table + i * size)
        .map(|at| (word(at), word(at + 4)))
        .collect()
}

#[test]
fn both_parts_need_nothing_of_the_machine_but_its_kernel() {
    const PT_DYNAMIC: u32 = 2;
    const PT_INTERP: u32 = 3;
    const PT_GNU_STACK: u32 = 0x6474_e551;
    const PF_X: u32 = 1;
    let size = usize::try_from(parts::ENGINE_SIZE).unwrap();
    let engine = lz4_flex::block::decompress(parts::ENGINE, size).unwrap();
    assert_eq!(size, engine.len());
    let digest: [u8; 32] = Sha256::digest(&engine).into();
    assert_eq!(digest, parts::ENGINE_DIGEST);
    for (name, elf) in [("stub", STUB), ("engine", &engine)] {
        let segments = segments(elf);
        let has = |kind| segments.iter().any(|&(k, _)| k == kind);
        assert!(!has(PT_INTERP), "{name} has an interpreter");
        assert!(!has(PT_DYNAMIC), "{name} is linked dynamically");
        let stack = segments.iter().find(|&&(kind, _)| kind == PT_GNU_STACK);
        assert!(
            stack.is_some_and(|(_, flags)| flags & PF_X == 0),
            "{name} has an executable stack"
        );
    }
}

#[test]
fn the_parts_stay_small() {
    assert!(STUB.len() <= 56_000, "stub: {} bytes", STUB.len());
    let both = STUB.len() + parts::ENGINE.len();
    assert!(both <= 1_500_000, "stub and engine: {both} bytes");
}

/// Kernels for aarch64 have pages of 4, 16 or 64 KiB: what is mapped with other rights must not share one of the largest.
#[test]
fn segments_for_aarch64_fit_its_largest_pages() {
    const PT_LOAD: u32 = 1;
    for head in parts::HEADS
        .iter()
        .filter(|head| head.target == "aarch64-linux")
    {
        let size = usize::try_from(head.engine_size).unwrap();
        let engine = lz4_flex::block::decompress(head.engine, size).unwrap();
        for elf in [head.stub, &engine] {
            let mut ends_before = 0;
            for at in loads(elf) {
                let [offset, address, memory, align] =
                    [8, 16, 40, 48].map(|field| number(elf, at + field));
                assert_eq!(align, 0x1_0000);
                assert_eq!(offset % align, address % align);
                assert!(address / align >= ends_before);
                ends_before = (address + memory).div_ceil(align);
            }
        }
        assert!(head.stub.len() <= 56_000, "stub: {} bytes", head.stub.len());
        let both = head.stub.len() + head.engine.len();
        assert!(both <= 1_500_000, "stub and engine: {both} bytes");
    }
    fn number(elf: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(elf[at..at + 8].try_into().unwrap())
    }
    /// Where the headers of segments that are mapped stand (elf(5), 64 bits).
    fn loads(elf: &[u8]) -> Vec<usize> {
        let table = usize::try_from(number(elf, 32)).unwrap();
        let count = usize::from(u16::from_le_bytes([elf[56], elf[57]]));
        let headers = (0..count).map(|index| table + index * 56);
        headers
            .filter(|&at| elf[at..at + 4] == PT_LOAD.to_le_bytes())
            .collect()
    }
}

#[test]
fn no_path_of_the_building_machine_is_in_the_stub() {
    let workspace = env!("CARGO_MANIFEST_DIR").as_bytes();
    assert!(
        !STUB
            .windows(workspace.len())
            .any(|window| window == workspace)
    );
}

#[test]
fn the_seal_of_the_build_is_empty() {
    let seal = &STUB[SEAL_OFFSET..][..SEAL_SIZE];
    assert_eq!(Seal::decode(seal), Some(Seal::default()));
}
