//! Memory that members are read into, kept from one to the next: fresh memory costs a page fault for every four kilobytes.

use std::io::{self, Read};

/// More than this is given back as soon as it is not needed.
const KEPT: usize = 8 << 20;

/// A member's bytes, and room for the next.
#[derive(Debug, Default)]
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
    end: usize,
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
            self.memory = Vec::new();
            self.memory = vec![0; room];
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
            self.memory.resize(self.end, 0);
        }
        &mut self.memory[have..self.end]
    }

    /// Takes only the `length` bytes from `start` on.
    pub(super) fn cut(&mut self, start: usize, length: usize) {
        self.start += start;
        self.end = self.start + length;
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory.len() as u64
    }

    /// Whether it is worth keeping.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.memory.len() <= KEPT
    }

    pub(super) fn into_vec(mut self) -> Vec<u8> {
        self.memory.truncate(self.end);
        self.memory.drain(..self.start);
        self.memory
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
        large.room(KEPT + 1);
        assert!(!large.is_worth_keeping());
    }
}
