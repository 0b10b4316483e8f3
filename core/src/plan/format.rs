//! A plan as bytes, little-endian:
//!
//! ```text
//!    0   8  magic
//!    8   4  version of this format
//!   12   4  length of the body
//!   16   8  checksum of the body
//!   24      the body: boot_id, the inputs, program, argv, changes to the environment
//! ```
//!
//! A list is its length (4 bytes) and its items, a text its length (4 bytes) and its bytes, a choice one byte and what
//! belongs to it. No text holds a zero byte: each ends up in a system call.
//!
//! Reading takes any bytes: what is damaged, short, long or of another version is no plan, and memory stays within a
//! small multiple of what was read. The checksum is against accidents; against others the root is guarded by who may
//! write to it ([`crate::paths`]). So it need not be a SHA-256, which costs more than all the rest of reading a plan: in
//! software by its rounds, in hardware by asking for it (`cpuid` leaves a virtual machine, for tens of microseconds).

use alloc::vec::Vec;

use super::{Anchor, EnvChange, Exec, Identity, Input, Place, Plan, Value};
use crate::checksum::checksum;

/// No plan is larger: 16 MiB.
pub const SIZE_MAX: usize = 16 << 20;

const MAGIC: [u8; 8] = *b"pexplan\0";
const VERSION: u32 = 1;
/// Bytes in front of the body.
const HEADER: usize = 24;

impl Plan {
    /// The plan as bytes: magic, version, checksum, body.
    ///
    /// What holds a zero byte in one of its texts, or is larger than [`SIZE_MAX`], is not read back.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&self.boot_id);
        write_list(&mut body, &self.inputs, write_input);
        write_text(&mut body, &self.exec.program);
        write_list(&mut body, &self.exec.argv, |out, text| {
            write_text(out, text)
        });
        body.push(u8::from(self.exec.interpreter));
        write_list(&mut body, &self.exec.env, write_change);

        let mut out = Vec::with_capacity(HEADER + body.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        write_length(&mut out, body.len());
        out.extend_from_slice(&checksum(&body));
        out.extend_from_slice(&body);
        out
    }

    /// Reads what [`Plan::encode`] wrote; `None` for anything else (another version, short, damaged).
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Plan> {
        if bytes.len() > SIZE_MAX {
            return None;
        }
        let mut reader = Reader(bytes);
        if reader.take()? != MAGIC || reader.u32()? != VERSION {
            return None;
        }
        let length = reader.length()?;
        let sum = reader.take()?;
        if reader.0.len() != length || checksum(reader.0) != sum {
            return None;
        }
        reader.body()
    }
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    // What does not fit is larger than any plan may be and is refused by whoever reads it.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    write_length(out, text.len());
    out.extend_from_slice(text);
}

fn write_list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    write_length(out, items.len());
    for item in items {
        write(out, item);
    }
}

fn write_option(out: &mut Vec<u8>, text: Option<&Vec<u8>>) {
    match text {
        None => out.push(0),
        Some(text) => {
            out.push(1);
            write_text(out, text);
        }
    }
}

fn write_place(out: &mut Vec<u8>, place: &Place) {
    out.push(match place.anchor {
        Anchor::Root => 0,
        Anchor::PexDir => 1,
        Anchor::Home => 2,
        Anchor::Cwd => 3,
    });
    write_text(out, &place.path);
}

fn write_identity(out: &mut Vec<u8>, identity: &Identity) {
    out.extend_from_slice(&identity.ino.to_le_bytes());
    out.extend_from_slice(&identity.size.to_le_bytes());
    out.extend_from_slice(&identity.mtime.to_le_bytes());
    out.extend_from_slice(&identity.mtime_nsec.to_le_bytes());
    out.extend_from_slice(&identity.ctime.to_le_bytes());
    out.extend_from_slice(&identity.ctime_nsec.to_le_bytes());
}

fn write_input(out: &mut Vec<u8>, input: &Input) {
    match input {
        Input::Pex(identity) => {
            out.push(0);
            write_identity(out, identity);
        }
        Input::File(place, identity) => {
            out.push(1);
            write_place(out, place);
            write_identity(out, identity);
        }
        Input::Present(place, ino) => {
            out.push(2);
            write_place(out, place);
            out.extend_from_slice(&ino.to_le_bytes());
        }
        Input::Absent(place) => {
            out.push(3);
            write_place(out, place);
        }
        Input::Link(place, target) => {
            out.push(4);
            write_place(out, place);
            write_text(out, target);
        }
        Input::FirstOnPath(name, hit) => {
            out.push(5);
            write_text(out, name);
            write_option(out, hit.as_ref());
        }
        Input::FirstUpward(name, hit) => {
            out.push(6);
            write_text(out, name);
            write_option(out, hit.as_ref());
        }
        Input::Variable(name, value) => {
            out.push(7);
            write_text(out, name);
            write_option(out, value.as_ref());
        }
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => {
            out.push(0);
            write_text(out, text);
        }
        Value::RealPex => out.push(1),
        Value::InvokedPex(before) => {
            out.push(2);
            write_text(out, before);
        }
    }
}

fn write_change(out: &mut Vec<u8>, change: &EnvChange) {
    match change {
        EnvChange::Remove(name) => {
            out.push(0);
            write_text(out, name);
        }
        EnvChange::RemovePrefix(prefix) => {
            out.push(1);
            write_text(out, prefix);
        }
        EnvChange::Set(name, value) => {
            out.push(2);
            write_text(out, name);
            write_value(out, value);
        }
        EnvChange::SetDefault(name, value) => {
            out.push(3);
            write_text(out, name);
            write_value(out, value);
        }
        EnvChange::Prepend(name, text) => {
            out.push(4);
            write_text(out, name);
            write_text(out, text);
        }
        EnvChange::Append(name, text) => {
            out.push(5);
            write_text(out, name);
            write_text(out, text);
        }
    }
}

/// What is left to read. Every method is `None` when the bytes do not hold it.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (!text.contains(&0)).then(|| text.to_vec())
    }

    /// Grows with what is really there: a length that lies costs nothing.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut list = Vec::new();
        for _ in 0..self.length()? {
            list.push(item(self)?);
        }
        Some(list)
    }

    fn option(&mut self) -> Option<Option<Vec<u8>>> {
        match self.u8()? {
            0 => Some(None),
            1 => self.text().map(Some),
            _ => None,
        }
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn place(&mut self) -> Option<Place> {
        let anchor = match self.u8()? {
            0 => Anchor::Root,
            1 => Anchor::PexDir,
            2 => Anchor::Home,
            3 => Anchor::Cwd,
            _ => return None,
        };
        Some(Place {
            anchor,
            path: self.text()?,
        })
    }

    fn identity(&mut self) -> Option<Identity> {
        Some(Identity {
            ino: self.u64()?,
            size: self.u64()?,
            mtime: self.i64()?,
            mtime_nsec: self.u32()?,
            ctime: self.i64()?,
            ctime_nsec: self.u32()?,
        })
    }

    fn input(&mut self) -> Option<Input> {
        Some(match self.u8()? {
            0 => Input::Pex(self.identity()?),
            1 => Input::File(self.place()?, self.identity()?),
            2 => Input::Present(self.place()?, self.u64()?),
            3 => Input::Absent(self.place()?),
            4 => Input::Link(self.place()?, self.text()?),
            5 => Input::FirstOnPath(self.text()?, self.option()?),
            6 => Input::FirstUpward(self.text()?, self.option()?),
            7 => Input::Variable(self.text()?, self.option()?),
            _ => return None,
        })
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.u8()? {
            0 => Value::Text(self.text()?),
            1 => Value::RealPex,
            2 => Value::InvokedPex(self.text()?),
            _ => return None,
        })
    }

    fn change(&mut self) -> Option<EnvChange> {
        Some(match self.u8()? {
            0 => EnvChange::Remove(self.text()?),
            1 => EnvChange::RemovePrefix(self.text()?),
            2 => EnvChange::Set(self.text()?, self.value()?),
            3 => EnvChange::SetDefault(self.text()?, self.value()?),
            4 => EnvChange::Prepend(self.text()?, self.text()?),
            5 => EnvChange::Append(self.text()?, self.text()?),
            _ => return None,
        })
    }

    fn body(&mut self) -> Option<Plan> {
        let plan = Plan {
            boot_id: self.take()?,
            inputs: self.list(Self::input)?,
            exec: Exec {
                program: self.text()?,
                argv: self.list(Self::text)?,
                interpreter: self.flag()?,
                env: self.list(Self::change)?,
            },
        };
        self.0.is_empty().then_some(plan)
    }
}
