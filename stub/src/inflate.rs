//! Inflating the engine (RFC 1951): all of it in memory at once, so that there is no window and no state to keep.
//!
//! Written for few bytes of code first and speed second: codes of up to [`FAST`] bits are looked up, the rare longer ones
//! counted out bit by bit. Whatever the input, it ends, and stays within both slices.

/// Bytes that must stand free behind what is inflated: of a match more is copied than there is, to be written over.
pub const SLACK: usize = 32;

/// Bits that are looked up at once.
const FAST: usize = 11;
/// Bits of the longest code (RFC 1951, 3.2.7).
const LONGEST: usize = 15;
/// What a symbol stands for, as it lies in a table: a value above these bits, how many bits of the input to add to it, and
/// the length of its code in the lowest four. 0 for none.
type Meaning = u32;
/// A literal.
const LITERAL: Meaning = 1 << 8;
/// The end of a block.
const END: Meaning = 1 << 9;

/// Of a literal or a length (RFC 1951, 3.2.5).
fn literal(symbol: usize) -> Meaning {
    let (kind, value, extra) = match symbol {
        0..256 => (LITERAL, symbol, 0),
        256 => (END, 0, 0),
        257..265 => (0, symbol - 254, 0),
        265..285 => {
            let extra = (symbol - 261) >> 2;
            (0, ((4 + ((symbol - 261) & 3)) << extra) + 3, extra)
        }
        285 => (0, 258, 0),
        _ => return 0,
    };
    kind | (value << 16 | extra << 4) as u32
}

/// Of a distance (RFC 1951, 3.2.5).
fn distance(symbol: usize) -> Meaning {
    let (value, extra) = match symbol {
        0..2 => (symbol + 1, 0),
        2..30 => {
            let extra = (symbol >> 1) - 1;
            (((2 + (symbol & 1)) << extra) + 1, extra)
        }
        _ => return 0,
    };
    (value << 16 | extra << 4) as u32
}

/// Of the length of a code: itself.
fn plain(symbol: usize) -> Meaning {
    LITERAL | (symbol << 16) as u32
}

/// Inflates `packed` to the beginning of `out` and gives how many bytes that are, [`SLACK`] not counted; `None` when it
/// is damaged or does not fit.
pub fn inflate(packed: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut bits = Bits {
        packed,
        at: 0,
        word: 0,
        count: 0,
    };
    let mut at = 0;
    let mut literals = Code::new();
    let mut distances = Code::new();
    loop {
        bits.fill();
        let last = bits.take(1) == 1;
        match bits.take(2) {
            0 => at = stored(&mut bits, out, at)?,
            1 => {
                let mut lengths = [8; 288];
                lengths.get_mut(144..256)?.fill(9);
                lengths.get_mut(256..280)?.fill(7);
                literals.set(&lengths, literal);
                distances.set(&[5; 30], distance);
                at = block(&mut bits, &literals, &distances, out, at)?;
            }
            2 => {
                dynamic(&mut bits, &mut literals, &mut distances)?;
                at = block(&mut bits, &literals, &distances, out, at)?;
            }
            _ => return None,
        }
        if bits.overrun() {
            return None;
        }
        if last {
            return Some(at);
        }
    }
}

/// What is left of the input, least significant bit first.
struct Bits<'a> {
    packed: &'a [u8],
    at: usize,
    word: u64,
    count: u32,
}

impl Bits<'_> {
    /// At least 56 bits are there after this; behind the end they are zeros.
    #[inline(always)]
    fn fill(&mut self) {
        let rest = self.packed.get(self.at..).unwrap_or_default();
        let word = match rest.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => rest
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        self.word |= word << self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
    }

    #[inline(always)]
    fn take(&mut self, count: u32) -> usize {
        let taken = self.word & ((1 << count) - 1);
        self.word >>= count;
        self.count -= count;
        taken as usize
    }

    /// Whether more was taken than there is.
    fn overrun(&self) -> bool {
        self.at - (self.count >> 3) as usize > self.packed.len()
    }
}

/// A Huffman code (RFC 1951, 3.2.2).
struct Code {
    /// By the next bits; 0 for a longer code or none.
    fast: [Meaning; 1 << FAST],
    /// How many codes there are of each length.
    counts: [u16; LONGEST + 1],
    /// Symbols in order of their codes.
    symbols: [Meaning; 288],
}

impl Code {
    fn new() -> Code {
        Code {
            fast: [0; 1 << FAST],
            counts: [0; LONGEST + 1],
            symbols: [0; 288],
        }
    }

    /// Makes it the code with these lengths. One with too many codes decodes to nonsense, and to nothing worse.
    fn set(&mut self, lengths: &[u8], meaning: fn(usize) -> Meaning) {
        self.fast.fill(0);
        self.counts.fill(0);
        for length in lengths {
            self.counts[usize::from(*length & 15)] += 1;
        }
        self.counts[0] = 0;
        let (mut code, mut index) = (0, 0);
        for length in 1..=LONGEST {
            for (symbol, its) in lengths.iter().enumerate() {
                if usize::from(*its) != length {
                    continue;
                }
                let entry = match meaning(symbol) {
                    0 => 0,
                    entry => entry | length as u32,
                };
                if let Some(place) = self.symbols.get_mut(index) {
                    *place = entry;
                }
                index += 1;
                if length <= FAST {
                    let mut slot = usize::from((code as u16).reverse_bits()) >> (16 - length);
                    while let Some(place) = self.fast.get_mut(slot) {
                        *place = entry;
                        slot += 1 << length;
                    }
                }
                code += 1;
            }
            code <<= 1;
        }
    }

    /// What comes next; its code is taken.
    #[inline(always)]
    fn next(&self, bits: &mut Bits<'_>) -> Option<Meaning> {
        let entry = self.fast[bits.word as usize & ((1 << FAST) - 1)];
        if entry == 0 {
            return self.long(bits);
        }
        bits.take(entry & 15);
        Some(entry)
    }

    #[cold]
    #[inline(never)]
    fn long(&self, bits: &mut Bits<'_>) -> Option<Meaning> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            let count = usize::from(*count);
            code |= bits.take(1);
            if code < first {
                return None;
            }
            if code < first + count {
                let entry = self.symbols.get(index + (code - first));
                return entry.copied().filter(|entry| *entry != 0);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// The value of what was found, with the bits that are added to it.
#[inline(always)]
fn value(entry: Meaning, bits: &mut Bits<'_>) -> usize {
    (entry >> 16) as usize + bits.take(entry >> 4 & 15)
}

/// A block as it is (RFC 1951, 3.2.4).
fn stored(bits: &mut Bits<'_>, out: &mut [u8], at: usize) -> Option<usize> {
    bits.take(bits.count & 7);
    let length = bits.take(16);
    if bits.take(16) != length ^ 0xffff {
        return None;
    }
    let from = bits.at - (bits.count >> 3) as usize;
    let end = at.checked_add(length)?;
    out.get_mut(at..end)?
        .copy_from_slice(bits.packed.get(from..from + length)?);
    *bits = Bits {
        packed: bits.packed,
        at: from + length,
        word: 0,
        count: 0,
    };
    Some(end)
}

/// The codes of a block (RFC 1951, 3.2.7).
fn dynamic(bits: &mut Bits<'_>, literals: &mut Code, distances: &mut Code) -> Option<()> {
    const ORDER: [u8; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let literal_count = bits.take(5) + 257;
    let count = literal_count + bits.take(5) + 1;
    let order_count = bits.take(4) + 4;
    let mut lengths = [0; 320];
    for place in ORDER.iter().take(order_count) {
        bits.fill();
        *lengths.get_mut(usize::from(*place))? = bits.take(3) as u8;
    }
    literals.set(lengths.get(..19)?, plain);
    let mut lengths = [0_u8; 320];
    let mut at = 0;
    while at < count {
        bits.fill();
        let (repeat, value) = match literals.next(bits)? >> 16 {
            16 => (bits.take(2) + 3, *lengths.get(at.checked_sub(1)?)?),
            17 => (bits.take(3) + 3, 0),
            18 => (bits.take(7) + 11, 0),
            length => (1, length as u8),
        };
        lengths.get_mut(at..at + repeat)?.fill(value);
        at += repeat;
    }
    literals.set(lengths.get(..literal_count)?, literal);
    distances.set(lengths.get(literal_count..count)?, distance);
    Some(())
}

/// Literals and matches to the end of the block (RFC 1951, 3.2.5).
fn block(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut [u8],
    mut at: usize,
) -> Option<usize> {
    // Of an iteration's at most four codes the first three are of 15 bits, with five more for a length: they are there.
    loop {
        bits.fill();
        let mut entry = literals.next(bits)?;
        if entry & LITERAL != 0 {
            *out.get_mut(at)? = (entry >> 16) as u8;
            at += 1;
            entry = literals.next(bits)?;
            if entry & LITERAL != 0 {
                *out.get_mut(at)? = (entry >> 16) as u8;
                at += 1;
                entry = literals.next(bits)?;
                if entry & LITERAL != 0 {
                    *out.get_mut(at)? = (entry >> 16) as u8;
                    at += 1;
                    continue;
                }
            }
        }
        if entry & END != 0 {
            return (at + SLACK <= out.len()).then_some(at);
        }
        let length = value(entry, bits);
        bits.fill();
        let distance = value(distances.next(bits)?, bits);
        let from = at.checked_sub(distance)?;
        copy(out, from, at, length)?;
        at += length;
    }
}

/// Copies a match, which may reach into what it makes itself.
#[inline(always)]
fn copy(out: &mut [u8], mut from: usize, mut at: usize, length: usize) -> Option<()> {
    let end = at + length;
    let room = out.get_mut(..end + SLACK)?;
    if at - from >= 8 {
        // Most are done by this, without asking how long they are.
        word(room, from, at)?;
        word(room, from + 8, at + 8)?;
        while at + 16 < end {
            from += 8;
            at += 8;
            word(room, from + 8, at + 8)?;
        }
    } else {
        while at < end {
            *room.get_mut(at)? = *room.get(from)?;
            from += 1;
            at += 1;
        }
    }
    Some(())
}

/// Copies eight bytes.
#[inline(always)]
fn word(room: &mut [u8], from: usize, at: usize) -> Option<()> {
    let word: [u8; 8] = *room.get(from..)?.first_chunk()?;
    *room.get_mut(at..)?.first_chunk_mut()? = word;
    Some(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{SLACK, inflate};

    /// What `packed` comes to, with room for `room` bytes.
    fn check(packed: &[u8], room: usize) -> Option<Vec<u8>> {
        let mut out = vec![0xaa; room + SLACK];
        let size = inflate(packed, &mut out)?;
        out.truncate(size);
        Some(out)
    }

    #[test]
    fn blocks_of_each_kind() {
        // Stored, "ab"; then fixed codes, "abcabcabc" as three literals and a match.
        let stored = [0x01, 2, 0, 0xfd, 0xff, b'a', b'b'];
        assert_eq!(check(&stored, 2).unwrap(), b"ab");
        let fixed = [0x4b, 0x4c, 0x4a, 0x4e, 0x04, 0x23, 0x00];
        assert_eq!(check(&fixed, 9).unwrap(), b"abcabcabc");
        // One byte again and again: a match that reaches into itself.
        let run = [0x4b, 0x4c, 0x1c, 0x05, 0xc4, 0x02, 0x00];
        assert_eq!(check(&run, 300).unwrap(), [b'a'; 300]);
        // Nothing at all.
        assert_eq!(check(&[0x03, 0x00], 0).unwrap(), b"");
    }

    #[test]
    fn what_does_not_fit_or_is_cut_short_is_refused() {
        let fixed = [0x4b, 0x4c, 0x4a, 0x4e, 0x04, 0x23, 0x00];
        for room in 0..9 {
            assert_eq!(check(&fixed, room), None, "{room}");
        }
        for length in 0..fixed.len() - 1 {
            assert_eq!(check(&fixed[..length], 9), None, "{length}");
        }
        for packed in [
            &[0x07][..],                     // a kind that there is not
            &[0x01, 2, 0, 0xfd, 0xfe, 0, 0], // lengths that do not agree
            &[0x01, 3, 0, 0xfc, 0xff, 0, 0], // more than there is
            &[0x03, 0x02, 0x00],             // a match of what is before the beginning
        ] {
            assert_eq!(check(packed, 100), None, "{packed:x?}");
        }
    }

    #[test]
    fn whatever_comes_it_ends() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let packed: Vec<u8> = (0..40)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 33) as u8
                })
                .collect();
            let _ = check(&packed, 1000);
        }
    }
}
