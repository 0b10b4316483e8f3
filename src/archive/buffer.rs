//! Memory that members are read into, kept from one to the next: fresh memory costs a page fault for every four kilobytes.

use std::io::{self, Read};
use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};

/// More than this is given back as soon as it is not needed.
const KEPT: usize = 8 << 20;

/// A member's bytes, and room for the next.
#[derive(Debug, Default)]
pub struct Buffer {
    memory: Memory,
    start: usize,
    end: usize,
}

/// All bytes of a buffer, set to anything.
#[derive(Debug)]
enum Memory {
    Heap(Vec<u8>),
    /// In huge pages where there are any: what is not kept is always fresh.
    Pages(MmapMut),
}

impl Memory {
    fn new(length: usize) -> Memory {
        if length > KEPT
            && let Ok(pages) = MmapMut::map_anon(length)
        {
            // Without huge pages it is memory as any other.
            let _ = pages.advise(Advice::HugePage);
            return Memory::Pages(pages);
        }
        Memory::Heap(vec![0; length])
    }

    /// Makes it longer; what is there stays.
    fn grow(&mut self, length: usize) {
        let mut bytes = match std::mem::take(self) {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(pages) => pages.to_vec(),
        };
        bytes.resize(length, 0);
        *self = Memory::Heap(bytes);
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::Heap(Vec::new())
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(pages) => pages,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(pages) => pages,
        }
    }
}

impl Buffer {
    /// What was read last.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Room for `length` bytes, with anything in it.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        if self.memory.len() < length {
            // Not `resize`: what is in it is not worth copying, and fresh memory need not be cleared. What is used again soon
            // has room for most.
            let room = length.max(self.memory.len().saturating_mul(2).min(1 << 20));
            self.memory = Memory::default();
            self.memory = Memory::new(room);
        }
        (self.start, self.end) = (0, length);
        &mut self.memory[..length]
    }

    /// Reads `length` bytes from `input`.
    ///
    /// # Errors
    /// When it ends before, or cannot be read.
    pub fn read_from(&mut self, input: &mut impl Read, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        input.read_exact(self.room(length))
    }

    /// More room behind what is there, which stays.
    pub(super) fn extend(&mut self, length: usize) -> &mut [u8] {
        let have = self.end;
        self.end += length;
        if self.memory.len() < self.end {
            self.memory.grow(self.end);
        }
        &mut self.memory[have..self.end]
    }

    /// Takes only the `length` bytes from `start` on.
    pub(super) fn cut(&mut self, start: usize, length: usize) {
        self.start += start;
        self.end = self.start + length;
    }

    /// Whether it is worth keeping.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.memory.len() <= KEPT
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self.memory {
            Memory::Heap(mut bytes) => {
                bytes.truncate(self.end);
                bytes.drain(..self.start);
                bytes
            }
            Memory::Pages(pages) => pages[self.start..self.end].to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_put_there_last() {
        let mut buffer = Buffer::default();
        buffer.room(5).copy_from_slice(b"abcde");
        buffer.extend(3).copy_from_slice(b"fgh");
        buffer.cut(2, 4);
        assert_eq!(buffer.bytes(), b"cdef");
        buffer.room(3).copy_from_slice(b"xyz");
        assert_eq!(buffer.bytes(), b"xyz");
        assert!(buffer.is_worth_keeping());
        assert_eq!(buffer.into_vec(), b"xyz");
        let mut large = Buffer::default();
        large.room(KEPT + 1).fill(7);
        assert!(!large.is_worth_keeping());
        large.extend(1).fill(9);
        large.cut(KEPT - 1, 3);
        assert_eq!(large.bytes(), [7, 7, 9]);
        large.room(KEPT + 9).fill(5);
        assert!(large.into_vec().iter().all(|byte| *byte == 5));
    }
}
