//! Inflating (RFC 1951) in one go, from memory into memory: what unpacks the engine.
//!
//! Small before all, and quick on what the engine is: no window, no streaming, no state between calls. Any input is
//! taken: what is no deflate stream, ends early or does not fit gives `None`, and reading or writing past an end is
//! ruled out by slices. What stands behind the stream's end is not looked at.

/// Codes up to this length are decoded by one look into a table, longer ones bit by bit.
const FAST: u32 = 10;
/// Longest code (RFC 1951, 3.2.7).
const LONGEST: usize = 15;
/// Literals, the end of the block, lengths (3.2.5), and two that never occur.
const LITERALS: usize = 288;
/// Distances, and two that never occur.
const DISTANCES: usize = 32;

/// Lengths of the symbols from 257 on: base, and bits that follow.
const LENGTH: [(u16, u8); 29] = {
    let mut list = [(258, 0); 29];
    let (mut base, mut at) = (3, 0);
    while at < 28 {
        let bits = if at < 8 { 0 } else { at as u8 / 4 - 1 };
        list[at] = (base, bits);
        base += 1 << bits;
        at += 1;
    }
    list
};
/// Distances: base, and bits that follow.
const DISTANCE: [(u16, u8); 30] = {
    let mut list = [(1, 0); 30];
    let (mut base, mut at) = (1_u32, 0);
    while at < 30 {
        let bits = if at < 4 { 0 } else { at as u8 / 2 - 1 };
        list[at] = (base as u16, bits);
        base += 1 << bits;
        at += 1;
    }
    list
};
/// The order in which lengths of the codes for code lengths are written (3.2.7).
const ORDER: [u8; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Inflates `packed` into `out`; how many bytes were written, or `None` when that is not possible.
#[must_use]
pub fn inflate(packed: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut bits = Bits {
        rest: packed,
        held: 0,
        count: 0,
    };
    let mut at = 0;
    let mut literals = Code::new();
    let mut distances = Code::new();
    loop {
        let last = bits.take(1)?;
        match bits.take(2)? {
            0 => at = stored(&mut bits, out, at)?,
            1 => {
                let mut lengths = [8; LITERALS + DISTANCES];
                lengths.get_mut(144..256)?.fill(9);
                lengths.get_mut(256..280)?.fill(7);
                lengths.get_mut(LITERALS..)?.fill(5);
                let (first, second) = lengths.split_at(LITERALS);
                literals.set(first, false)?;
                distances.set(second, false)?;
                at = block(&mut bits, &literals, &distances, out, at)?;
            }
            2 => {
                dynamic(&mut bits, &mut literals, &mut distances)?;
                at = block(&mut bits, &literals, &distances, out, at)?;
            }
            _ => return None,
        }
        if last == 1 {
            return Some(at);
        }
    }
}

/// The bits of the stream, the lowest of each byte first.
struct Bits<'a> {
    rest: &'a [u8],
    /// Bits that were read and not used yet, the next one lowest.
    held: u64,
    /// How many of them there are.
    count: u32,
}

impl Bits<'_> {
    /// Holds at least 48 bits, or all there are.
    #[inline(always)]
    fn fill(&mut self) {
        if let Some(word) = self.rest.first_chunk() {
            self.held |= u64::from_le_bytes(*word) << self.count;
            let bytes = (63 - self.count) / 8;
            self.rest = &self.rest[bytes as usize..];
            self.count += bytes * 8;
        } else {
            self.fill_slowly();
        }
    }

    #[inline(never)]
    fn fill_slowly(&mut self) {
        while self.count < 56
            && let [byte, rest @ ..] = self.rest
        {
            self.held |= u64::from(*byte) << self.count;
            self.count += 8;
            self.rest = rest;
        }
    }

    /// Drops bits that were looked at.
    #[inline(always)]
    fn skip(&mut self, count: u32) -> Option<()> {
        self.count = self.count.checked_sub(count)?;
        self.held >>= count;
        Some(())
    }

    /// The next bits, of those held, as a number.
    #[inline(always)]
    fn held(&mut self, count: u32) -> Option<u32> {
        let value = self.held & ((1 << count) - 1);
        self.skip(count)?;
        Some(value as u32)
    }

    /// The next bits as a number; at most 16.
    fn take(&mut self, count: u32) -> Option<u32> {
        self.fill();
        self.held(count)
    }
}

/// A prefix code (3.2.2).
struct Code {
    /// By the next [`FAST`] bits: the symbol and the length of its code; zero where it is longer, or none.
    fast: [u16; 1 << FAST],
    /// How many codes of each length there are.
    counts: [u16; LONGEST + 1],
    /// The symbols, by their codes.
    symbols: [u16; LITERALS],
}

impl Code {
    fn new() -> Code {
        Code {
            fast: [0; 1 << FAST],
            counts: [0; LONGEST + 1],
            symbols: [0; LITERALS],
        }
    }

    /// Makes it the code in which each symbol has this length, 0 for those that do not occur. `None` where there is no such
    /// code, or not every sequence of bits would mean something; but `alone` a code of one bit may stand, or none (3.2.7).
    fn set(&mut self, lengths: &[u8], alone: bool) -> Option<()> {
        self.counts = [0; LONGEST + 1];
        for &length in lengths {
            *self.counts.get_mut(usize::from(length))? += 1;
        }
        self.counts[0] = 0;
        // Where the symbols of each length begin, and the first code of each length.
        let (mut starts, mut codes) = ([0_u16; LONGEST + 2], [0_u16; LONGEST + 2]);
        let mut left = 1_i32;
        for length in 1..=LONGEST {
            let count = self.counts[length];
            left = left * 2 - i32::from(count);
            if left < 0 {
                return None;
            }
            starts[length + 1] = starts[length] + count;
            codes[length + 1] = codes[length].wrapping_add(count) << 1;
        }
        let longer = self.counts[2..].iter().any(|&count| count > 0);
        if left > 0 && (longer || !alone) {
            return None;
        }
        self.fast = [0; 1 << FAST];
        for (symbol, &length) in lengths.iter().enumerate() {
            let at = usize::from(length);
            if at == 0 {
                continue;
            }
            *self.symbols.get_mut(usize::from(starts[at]))? = symbol as u16;
            starts[at] += 1;
            let code = codes[at];
            codes[at] += 1;
            let width = u32::from(length);
            if width <= FAST {
                let entry = (symbol as u16) << 4 | u16::from(length);
                let first = usize::from(code.reverse_bits() >> (16 - width));
                for place in self.fast.iter_mut().skip(first).step_by(1 << width) {
                    *place = entry;
                }
            }
        }
        Some(())
    }

    /// The next symbol, of the bits held.
    #[inline(always)]
    fn next(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let entry = self.fast[bits.held as usize % (1 << FAST)];
        if entry == 0 {
            return self.long(bits);
        }
        bits.skip(u32::from(entry & 15))?;
        Some(usize::from(entry >> 4))
    }

    /// The next symbol, bit by bit: codes of one length are consecutive, and so are their symbols.
    #[inline(never)]
    fn long(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for &count in &self.counts[1..] {
            let count = u32::from(count);
            code |= bits.held(1)?;
            if code < first + count {
                let symbol = self.symbols.get((index + code - first) as usize)?;
                return Some(usize::from(*symbol));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// A block that is not compressed (3.2.4).
fn stored(bits: &mut Bits<'_>, out: &mut [u8], at: usize) -> Option<usize> {
    bits.skip(bits.count % 8)?;
    let size = bits.take(16)?;
    if bits.take(16)? != size ^ 0xffff {
        return None;
    }
    let end = at.checked_add(size as usize)?;
    for place in out.get_mut(at..end)? {
        *place = bits.take(8)? as u8;
    }
    Some(end)
}

/// Reads the codes of a block (3.2.7).
fn dynamic(bits: &mut Bits<'_>, literals: &mut Code, distances: &mut Code) -> Option<()> {
    let literal = bits.take(5)? as usize + 257;
    let distance = bits.take(5)? as usize + 1;
    if literal > LITERALS - 2 || distance > DISTANCES - 2 {
        return None;
    }
    let count = bits.take(4)? as usize + 4;
    let mut lengths = [0; 19];
    for &place in ORDER.get(..count)? {
        *lengths.get_mut(usize::from(place))? = bits.take(3)? as u8;
    }
    literals.set(&lengths, false)?;

    let mut lengths = [0; LITERALS + DISTANCES];
    let mut rest = lengths.get_mut(..literal + distance)?;
    let mut before = None;
    while !rest.is_empty() {
        bits.fill();
        let symbol = literals.next(bits)? as u8;
        let (value, times) = match symbol {
            16 => (before?, 3 + bits.held(2)?),
            17 => (0, 3 + bits.held(3)?),
            18 => (0, 11 + bits.held(7)?),
            length => (length, 1),
        };
        let (run, behind) = rest.split_at_mut_checked(times as usize)?;
        run.fill(value);
        (rest, before) = (behind, Some(value));
    }
    let (first, behind) = lengths.split_at(literal);
    // Without an end a block can't end.
    if *first.get(256)? == 0 {
        return None;
    }
    literals.set(first, true)?;
    distances.set(behind.get(..distance)?, true)
}

/// A compressed block (3.2.3). `at` is where its output begins; the result is where it ends.
fn block(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut [u8],
    mut at: usize,
) -> Option<usize> {
    loop {
        // 48 bits are enough for all of one turn: 15 + 5 + 15 + 13.
        bits.fill();
        let symbol = literals.next(bits)?;
        if symbol < 256 {
            *out.get_mut(at)? = symbol as u8;
            at += 1;
            continue;
        }
        if symbol == 256 {
            return Some(at);
        }
        let &(base, extra) = LENGTH.get(symbol - 257)?;
        let length = usize::from(base) + bits.held(u32::from(extra))? as usize;
        let &(base, extra) = DISTANCE.get(distances.next(bits)?)?;
        let distance = usize::from(base) + bits.held(u32::from(extra))? as usize;
        let from = at.checked_sub(distance)?;
        at = copy(out, from, at, length)?;
    }
}

/// Repeats `length` bytes from `from` at `to`, and gives where they end. Both may overlap: what was written is repeated.
#[inline(always)]
fn copy(out: &mut [u8], from: usize, to: usize, length: usize) -> Option<usize> {
    let end = to.checked_add(length)?;
    // Whole words, where what is written too much is written over later.
    if to - from >= 8 && end + 8 <= out.len() {
        let (mut from, mut to) = (from, to);
        while to < end {
            let word: [u8; 8] = *out.get(from..)?.first_chunk()?;
            *out.get_mut(to..)?.first_chunk_mut()? = word;
            from += 8;
            to += 8;
        }
        return Some(end);
    }
    let part = out.get_mut(from..end)?;
    for index in to - from..part.len() {
        part[index] = part[index - (to - from)];
    }
    Some(end)
}

#[cfg(test)]
mod tests;
