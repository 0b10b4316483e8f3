//! Several hands on one directory: its files are inflated and written by whoever has time, and seen by the witness in
//! order all the same.
//!
//! The promise of a wheel is one hash over all its files (reference 1.6): that is one processor's work. What comes before
//! it is not. A hand takes the next files, reads and writes them, and lays their bytes aside; then whoever finds the witness
//! free shows it what is next in order. What a hand takes at once lies in one directory: two in one directory wait for each
//! other in the kernel, and both would make it.
//!
//! Memory is bounded: so many bytes are taken and not yet seen ([`HELD`]), one large member at a time in the whole process
//! ([`Large`]), and what is larger still streams, when its turn has come. A hand never waits with a file in its hands, so
//! the file that all wait for is always being worked on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::UnpackError;
use super::item::{Bytes, Item, WHOLE, Witness, written};
use super::processors::processors;
use super::progress::Progress;
use crate::archive::Buffer;
use crate::store::{Directories, Tree};

/// Bytes of one directory that hands may have taken and the witness not seen.
const HELD: u64 = 16 << 20;
/// What a hand takes at once at most, in files and in bytes.
const RUN: usize = 64;
const RUN_BYTES: u64 = 1 << 20;
/// The most that a large member and its stored bytes may be together.
const LARGE: u64 = 32 << 20;

/// The leave to hold one member above [`WHOLE`] in memory: inflating it in one go takes half the time of streaming.
///
/// There is one in a process, and only where there are several processors: their workers' shares of memory together have
/// room for it. Whoever does not get it streams.
#[derive(Debug)]
struct Large;

static LARGE_TAKEN: AtomicBool = AtomicBool::new(false);

impl Large {
    fn take(item: &Item<'_>) -> Option<Large> {
        let fits = item.entry().is_some_and(|entry| {
            entry
                .size
                .checked_add(entry.compressed_size)
                .is_some_and(|all| all <= LARGE)
        });
        (fits && processors() > 1 && !LARGE_TAKEN.swap(true, Ordering::Relaxed)).then_some(Large)
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        LARGE_TAKEN.store(false, Ordering::Relaxed);
    }
}

/// A directory that is being filled.
pub(super) struct Work<'a, W> {
    root: PathBuf,
    directories: Directories,
    items: &'a [Item<'a>],
    progress: &'a Progress,
    state: Mutex<State<W>>,
    changed: Condvar,
}

struct State<W> {
    /// The first file that nobody has taken.
    next: usize,
    /// The first that the witness has not seen.
    seen: usize,
    /// Bytes taken and not seen.
    held: u64,
    /// Bytes not taken.
    left: u64,
    /// Files that wait for the witness.
    ready: BTreeMap<usize, Read>,
    /// Taken away while it is shown something.
    witness: Option<W>,
    /// Memory to be used again.
    spare: Vec<Buffer>,
    /// How many work at it, and how many of them wait.
    hands: usize,
    waiting: usize,
    failed: Option<UnpackError>,
}

/// A file's bytes.
struct Read {
    buffer: Buffer,
    weight: u64,
    large: Option<Large>,
}

/// What a hand has taken.
enum Taken {
    /// Files of one directory, which are held until the witness has seen them.
    Run(Range<usize>),
    /// A large one that may be held.
    Large(usize, Large),
    /// One that is shown while it is written.
    Stream(usize),
}

/// Work that others can lend a hand with.
pub(super) trait Shared: Sync + Send {
    /// Bytes that nobody has taken.
    fn left(&self) -> u64;
    /// Helps until nothing is left to take.
    fn help(&self);
}

impl<'a, W: Witness + Send> Work<'a, W> {
    pub(super) fn new(
        root: &Path,
        items: &'a [Item<'a>],
        witness: W,
        progress: &'a Progress,
    ) -> Work<'a, W> {
        Work {
            root: root.to_owned(),
            directories: Directories::default(),
            items,
            progress,
            state: Mutex::new(State {
                next: 0,
                seen: 0,
                held: 0,
                left: items.iter().map(Item::size).sum(),
                ready: BTreeMap::new(),
                witness: Some(witness),
                spare: Vec::new(),
                hands: 0,
                waiting: 0,
                failed: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// Writes every file, with whoever helps, and gives the witness back when it has seen all of them.
    pub(super) fn finish(&self) -> Result<W, UnpackError> {
        self.help();
        let mut state = self.lock();
        while state.hands > 0 {
            state = self.wait(state);
        }
        match (state.failed.take(), state.witness.take()) {
            (None, Some(witness)) if state.seen == self.items.len() => Ok(witness),
            (Some(error), _) => Err(error),
            // Only a hand that panicked leaves it like this.
            _ => Err(written(&self.root)(std::io::Error::other(
                "unpacking was given up",
            ))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, mut state: MutexGuard<'s, State<W>>) -> MutexGuard<'s, State<W>> {
        state.waiting += 1;
        let mut state = self
            .changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    /// Tells those who wait, if any: telling nobody is a system call too.
    fn tell(&self, state: &State<W>) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Takes what is next as soon as it may be taken; `None` when nothing is left to do.
    fn take<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<W>>,
    ) -> (MutexGuard<'s, State<W>>, Option<Taken>) {
        loop {
            let index = state.next;
            let Some(item) = self.items.get(index).filter(|_| state.failed.is_none()) else {
                return (state, None);
            };
            let taken = match item.weight() {
                Some(weight) if state.held == 0 || state.held + weight <= HELD => {
                    let (end, weight) = self.run(index, weight, HELD.saturating_sub(state.held));
                    state.held += weight;
                    Some(Taken::Run(index..end))
                }
                Some(_) => None,
                None => match Large::take(item) {
                    Some(large) => Some(Taken::Large(index, large)),
                    None if state.seen == index && state.witness.is_some() => {
                        Some(Taken::Stream(index))
                    }
                    None => None,
                },
            };
            let Some(taken) = taken else {
                state = self.wait(state);
                continue;
            };
            state.next = match &taken {
                Taken::Run(range) => range.end,
                Taken::Large(index, _) | Taken::Stream(index) => index + 1,
            };
            let sizes = self.items[index..state.next].iter().map(Item::size);
            state.left -= sizes.sum::<u64>();
            return (state, Some(taken));
        }
    }

    /// Where the run ends that begins with the item of that weight, and what all of it weighs: neighbours in one directory,
    /// as many as there is `room` for.
    fn run(&self, begin: usize, weight: u64, room: u64) -> (usize, u64) {
        let room = room.min(RUN_BYTES);
        let (mut end, mut all) = (begin + 1, weight);
        while end - begin < RUN
            && let Some(item) = self.items.get(end)
            && item.directory() == self.items[begin].directory()
            && let Some(weight) = item.weight().filter(|weight| all + weight <= room)
        {
            all += weight;
            end += 1;
        }
        (end, all)
    }

    /// One hand's work, from the first file that it takes.
    fn work(&self) -> Result<(), UnpackError> {
        let mut tree: Option<Tree> = None;
        let mut state = self.lock();
        loop {
            let (taken_state, taken) = self.take(state);
            state = taken_state;
            let Some(taken) = taken else {
                return Ok(());
            };
            let tree = match &mut tree {
                Some(tree) => tree,
                None => {
                    let new = Tree::of_several(&self.root, &self.directories);
                    tree.insert(new.map_err(written(&self.root))?)
                }
            };
            match taken {
                Taken::Stream(index) => {
                    let witness = state.witness.take();
                    drop(state);
                    let Some(mut witness) = witness else {
                        return Ok(()); // `take` has just seen it, under the same lock.
                    };
                    self.items[index].stream(&self.root, tree, &mut witness, self.progress)?;
                    state = self.lock();
                    state.witness = Some(witness);
                    state.seen += 1;
                    self.tell(&state);
                }
                Taken::Large(index, large) => {
                    let spare = state.spare.pop();
                    drop(state);
                    let buffer = self.bring(index, tree, spare)?;
                    state = self.lock();
                    let read = Read {
                        buffer,
                        weight: 0,
                        large: Some(large),
                    };
                    state.ready.insert(index, read);
                }
                Taken::Run(range) => {
                    let keep = state.spare.len().saturating_sub(range.len());
                    let mut spare = state.spare.split_off(keep);
                    drop(state);
                    let mut brought = Vec::with_capacity(range.len());
                    for index in range {
                        let read = Read {
                            buffer: self.bring(index, tree, spare.pop())?,
                            weight: self.items[index].size(),
                            large: None,
                        };
                        brought.push((index, read));
                    }
                    state = self.lock();
                    state.ready.extend(brought);
                }
            }
            state = self.show(state);
        }
    }

    fn bring(
        &self,
        index: usize,
        tree: &mut Tree,
        spare: Option<Buffer>,
    ) -> Result<Buffer, UnpackError> {
        let mut buffer = spare.unwrap_or_default();
        self.items[index].bring(&self.root, tree, &mut buffer, self.progress)?;
        Ok(buffer)
    }

    /// Shows the witness what is next in order, unless another hand is at it: that one goes on with what is here.
    fn show<'s>(&'s self, mut state: MutexGuard<'s, State<W>>) -> MutexGuard<'s, State<W>> {
        loop {
            let ready = state.ready_in_order();
            if ready.is_empty() {
                return state;
            }
            let Some(mut witness) = state.witness.take() else {
                // `ready_in_order` has just seen it, under the same lock.
                return state;
            };
            let seen = state.seen;
            drop(state);
            let count = ready.len();
            let mut weight = 0;
            let mut used = Vec::with_capacity(count);
            for (item, read) in self.items[seen..].iter().zip(ready) {
                witness.begin(item);
                witness.bytes(item.bytes_of(&read.buffer));
                witness.end(item);
                weight += read.weight;
                used.push(read.buffer);
                drop(read.large);
            }
            state = self.lock();
            state.witness = Some(witness);
            state.seen += count;
            state.held -= weight;
            state.spare.append(&mut used);
            state.spare_less();
            self.tell(&state);
        }
    }
}

impl<W> State<W> {
    /// Takes what the witness can be shown, one behind the other; nothing while it is shown something.
    fn ready_in_order(&mut self) -> Vec<Read> {
        let mut ready = Vec::new();
        while self.witness.is_some()
            && let Some(read) = self.ready.remove(&(self.seen + ready.len()))
        {
            ready.push(read);
        }
        ready
    }

    /// Keeps no more memory to be used again than one file takes.
    fn spare_less(&mut self) {
        let mut room = WHOLE;
        self.spare
            .retain(|buffer| match room.checked_sub(buffer.memory()) {
                Some(left) => {
                    room = left;
                    true
                }
                None => false,
            });
    }
}

impl<W: Witness + Send> Shared for Work<'_, W> {
    fn left(&self) -> u64 {
        self.lock().left
    }

    fn help(&self) {
        {
            let mut state = self.lock();
            if state.next == self.items.len() || state.failed.is_some() {
                return;
            }
            state.hands += 1;
        }
        let hand = Hand(self);
        if let Err(error) = self.work() {
            let mut state = self.lock();
            // Nobody takes another file.
            (state.next, state.left) = (self.items.len(), 0);
            state.failed.get_or_insert(error);
        }
        drop(hand);
    }
}

/// A hand that is at work; gone when it is dropped, by a panic too.
struct Hand<'w, 'a, W: Witness + Send>(&'w Work<'a, W>);

impl<W: Witness + Send> Drop for Hand<'_, '_, W> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.hands -= 1;
        if std::thread::panicking() {
            (state.next, state.left) = (self.0.items.len(), 0);
        }
        self.0.tell(&state);
    }
}

impl Item<'_> {
    fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(above, _)| above)
    }

    /// What it counts for while it is held; `None` for one that is not held as others are.
    fn weight(&self) -> Option<u64> {
        match &self.bytes {
            Bytes::Entry(_, entry) => {
                (entry.size.max(entry.compressed_size) <= WHOLE).then_some(entry.size)
            }
            Bytes::File(_, size) => (*size <= WHOLE).then_some(*size),
            Bytes::Made(bytes) => Some(bytes.len() as u64),
        }
    }
}
