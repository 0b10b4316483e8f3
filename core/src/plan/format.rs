//! The plans of a key as bytes, little-endian:
//!
//! ```text
//!    0   8  magic
//!    8   4  version of this format
//!   12      the plans, newest first, one behind the other:
//!             0   4  length of the body
//!             4   8  checksum of the body
//!            12      the body: files, fingerprint, two flags, boot_id, the inputs, program, argv, changes to the environment
//! ```
//!
//! A list is its length (4 bytes) and its items, a text its length (4 bytes) and its bytes, a choice one byte and what
//! belongs to it. No text holds a zero byte: each ends up in a system call. (The kernel's name alone may.)
//!
//! Reading takes any bytes: what is damaged, short, long or of another version is no plan, and memory stays within a
//! small multiple of what was read. The checksum is against accidents; against others the root is guarded by who may
//! write to it ([`crate::paths`]). So it need not be a SHA-256, which costs more than all the rest of reading a plan: in
//! software by its rounds, in hardware by asking for it (`cpuid` leaves a virtual machine, for tens of microseconds).

use alloc::vec::Vec;

use super::{Anchor, Content, EnvChange, Exec, Identity, Input, Place, Plan, Value};
use crate::checksum::checksum;
use crate::note::Note;

/// No file of plans is larger: 16 MiB.
pub const SIZE_MAX: usize = 16 << 20;

const MAGIC: [u8; 8] = *b"pexplans";
const VERSION: u32 = 2;

/// The plans as bytes.
///
/// A plan that holds a zero byte in one of its texts, and any in a file larger than [`SIZE_MAX`], is not read back.
#[must_use]
pub fn encode(plans: &[Plan]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    for plan in plans {
        let body = body(plan);
        write_length(&mut out, body.len());
        out.extend_from_slice(&checksum(&body));
        out.extend_from_slice(&body);
    }
    out
}

fn body(plan: &Plan) -> Vec<u8> {
    let mut out = Vec::new();
    write_list(&mut out, &plan.files, write_identity);
    out.extend_from_slice(&plan.fingerprint);
    out.push(u8::from(plan.portable));
    out.push(u8::from(plan.boots));
    out.extend_from_slice(&plan.boot_id);
    write_list(&mut out, &plan.inputs, write_input);
    write_text(&mut out, &plan.exec.program);
    write_list(&mut out, &plan.exec.argv, |out, text| write_text(out, text));
    out.push(u8::from(plan.exec.interpreter));
    write_list(&mut out, &plan.exec.env, write_change);
    out
}

/// The plans in the bytes that [`encode`] wrote, each read when it is asked for. One that is damaged is left out; bytes of
/// another version hold none.
#[derive(Debug)]
pub struct Plans<'a>(Reader<'a>);

impl<'a> Plans<'a> {
    /// The plans in `bytes`.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Plans<'a> {
        let mut reader = Reader(bytes);
        let known = bytes.len() <= SIZE_MAX
            && reader.take() == Some(MAGIC)
            && reader.u32() == Some(VERSION);
        Plans(Reader(if known { reader.0 } else { b"" }))
    }
}

impl Iterator for Plans<'_> {
    type Item = Plan;

    fn next(&mut self) -> Option<Plan> {
        loop {
            let length = self.0.length()?;
            let sum = self.0.take()?;
            let (body, rest) = self.0.0.split_at_checked(length)?;
            self.0 = Reader(rest);
            if checksum(body) == sum
                && let Some(plan) = Reader(body).plan()
            {
                return Some(plan);
            }
        }
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
        Input::Content(place, content) => {
            out.push(0);
            write_place(out, place);
            out.extend_from_slice(&content.size.to_le_bytes());
            out.extend_from_slice(&content.mtime.to_le_bytes());
            out.extend_from_slice(&content.sum);
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
        Input::Pex(path) => {
            out.push(9);
            write_text(out, path);
        }
        Input::Cwd(path) => {
            out.push(10);
            write_text(out, path);
        }
        Input::Kernel(name) => {
            out.push(8);
            write_text(out, name);
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
        Value::InvokedPex => out.push(2),
        Value::Note(note) => out.extend_from_slice(&[3, note.bits()]),
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
#[derive(Debug)]
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

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        self.bytes().filter(|text| !text.contains(&0))
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
            0 => Input::Content(
                self.place()?,
                Content {
                    size: self.u64()?,
                    mtime: self.i64()?,
                    sum: self.take()?,
                },
            ),
            1 => Input::File(self.place()?, self.identity()?),
            2 => Input::Present(self.place()?, self.u64()?),
            3 => Input::Absent(self.place()?),
            4 => Input::Link(self.place()?, self.text()?),
            5 => Input::FirstOnPath(self.text()?, self.option()?),
            6 => Input::FirstUpward(self.text()?, self.option()?),
            7 => Input::Variable(self.text()?, self.option()?),
            8 => Input::Kernel(self.bytes()?),
            9 => Input::Pex(self.text()?),
            10 => Input::Cwd(self.text()?),
            _ => return None,
        })
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.u8()? {
            0 => Value::Text(self.text()?),
            1 => Value::RealPex,
            2 => Value::InvokedPex,
            3 => Value::Note(Note::of_bits(self.u8()?)?),
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

    fn plan(&mut self) -> Option<Plan> {
        let plan = Plan {
            files: self.list(Self::identity)?,
            fingerprint: self.take()?,
            portable: self.flag()?,
            boots: self.flag()?,
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
