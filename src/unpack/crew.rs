//! Several hands on one directory: its files are inflated and written by whoever has time, and seen by the witness in
//! order all the same.
//!
//! The promise of a wheel is one hash over all its files (reference 1.6): that is one processor's work. What comes before
//! it is not. A hand takes the next file, reads and writes it, and lays its bytes aside; then whoever finds the witness
//! free shows it what is next in order. One hand alone does the same and never lays anything aside.
//!
//! Memory is bounded: so many bytes are taken and not yet seen ([`HELD`]), one large member at a time in the whole process
//! ([`Large`]), and what is larger still streams, when its turn has come. A hand never waits with a file in its hands, so
//! the file that all wait for is always being worked on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::UnpackError;
use super::lay_out::{Bytes, Item, WHOLE, Witness, written};
use super::processors::processors;
use super::progress::Progress;
use crate::archive::Buffer;
use crate::store::Tree;

/// Bytes of one directory that hands may have taken and the witness not seen.
const HELD: u64 = 16 << 20;
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
    spare: Option<Buffer>,
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

/// How a file is brought in.
enum Way {
    Whole(Option<Large>),
    Stream,
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
            items,
            progress,
            state: Mutex::new(State {
                next: 0,
                seen: 0,
                held: 0,
                left: items.iter().map(Item::size).sum(),
                ready: BTreeMap::new(),
                witness: Some(witness),
                spare: None,
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

    /// Takes the next file as soon as it may be taken; `None` when nothing is left to do.
    fn take<'s>(
        &self,
        mut state: MutexGuard<'s, State<W>>,
    ) -> (MutexGuard<'s, State<W>>, Option<(usize, Way)>) {
        loop {
            let index = state.next;
            let Some(item) = self.items.get(index).filter(|_| state.failed.is_none()) else {
                return (state, None);
            };
            let weight = item.weight();
            let way = if weight.is_some_and(|weight| state.held == 0 || state.held + weight <= HELD)
            {
                Some(Way::Whole(None))
            } else if weight.is_some() {
                None
            } else if let Some(large) = Large::take(item) {
                Some(Way::Whole(Some(large)))
            } else if state.seen == index && state.witness.is_some() {
                Some(Way::Stream)
            } else {
                None
            };
            match way {
                Some(way) => {
                    state.next += 1;
                    state.left -= item.size();
                    state.held += way.weight(item);
                    return (state, Some((index, way)));
                }
                None => state = self.wait(state),
            }
        }
    }

    /// One hand's work, from the first file that it takes.
    fn work(&self) -> Result<(), UnpackError> {
        let mut tree: Option<Tree> = None;
        let mut state = self.lock();
        loop {
            let (taken_state, taken) = self.take(state);
            state = taken_state;
            let Some((index, way)) = taken else {
                return Ok(());
            };
            let item = &self.items[index];
            let tree = match &mut tree {
                Some(tree) => tree,
                None => tree.insert(Tree::new(&self.root).map_err(written(&self.root))?),
            };
            match way {
                Way::Stream => {
                    let witness = state.witness.take();
                    drop(state);
                    let Some(mut witness) = witness else {
                        return Ok(()); // `take` has just seen it, under the same lock.
                    };
                    item.stream(&self.root, tree, &mut witness, self.progress)?;
                    state = self.lock();
                    state.witness = Some(witness);
                    state.seen += 1;
                    self.tell(&state);
                }
                Way::Whole(large) => {
                    let weight = if large.is_some() { 0 } else { item.size() };
                    let mut buffer = state.spare.take().unwrap_or_default();
                    drop(state);
                    item.bring(&self.root, tree, &mut buffer, self.progress)?;
                    state = self.lock();
                    let read = Read {
                        buffer,
                        weight,
                        large,
                    };
                    state.ready.insert(index, read);
                }
            }
            state = self.show(state);
        }
    }

    /// Shows the witness what is next in order, unless another hand is at it: that one goes on with what is here.
    fn show<'s>(&'s self, mut state: MutexGuard<'s, State<W>>) -> MutexGuard<'s, State<W>> {
        while state.witness.is_some() {
            let seen = state.seen;
            let Some(read) = state.ready.remove(&seen) else {
                break;
            };
            let Some(mut witness) = state.witness.take() else {
                break;
            };
            drop(state);
            let item = &self.items[seen];
            witness.begin(item);
            witness.bytes(item.bytes_of(&read.buffer));
            witness.end(item);
            let Read {
                buffer,
                weight,
                large,
            } = read;
            drop(large);
            state = self.lock();
            state.witness = Some(witness);
            state.seen += 1;
            state.held -= weight;
            if buffer.is_worth_keeping() && state.spare.is_none() {
                state.spare = Some(buffer);
            }
            self.tell(&state);
        }
        state
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

impl Way {
    fn weight(&self, item: &Item<'_>) -> u64 {
        match self {
            Way::Whole(None) => item.size(),
            Way::Whole(Some(_)) | Way::Stream => 0,
        }
    }
}

impl Item<'_> {
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

/// The hands of one call, and what is open for them.
pub(super) struct Crew<'a> {
    open: Mutex<Open<'a>>,
    changed: Condvar,
}

struct Open<'a> {
    works: Vec<Arc<dyn Shared + 'a>>,
    /// Jobs that are not done, begun or not.
    jobs: usize,
}

impl<'a> Crew<'a> {
    /// For so many jobs.
    pub(super) fn new(jobs: usize) -> Crew<'a> {
        Crew {
            open: Mutex::new(Open {
                works: Vec::new(),
                jobs,
            }),
            changed: Condvar::new(),
        }
    }

    /// Does the work, with the help of whoever has nothing else to do.
    pub(super) fn finish<W: Witness + Send + 'a>(
        &self,
        work: Work<'a, W>,
    ) -> Result<W, UnpackError> {
        let work = Arc::new(work);
        let shared: Arc<dyn Shared + 'a> = Arc::clone(&work) as _;
        self.lock().works.push(Arc::clone(&shared));
        self.changed.notify_all();
        let result = work.finish();
        self.lock().works.retain(|open| !Arc::ptr_eq(open, &shared));
        result
    }

    /// A job is done.
    pub(super) fn done(&self) {
        let mut open = self.lock();
        open.jobs = open.jobs.saturating_sub(1);
        if open.jobs == 0 {
            self.changed.notify_all();
        }
    }

    /// Helps with whatever has the most left until every job is done.
    pub(super) fn help(&self) {
        let mut open = self.lock();
        while open.jobs > 0 {
            let most = (open.works.iter())
                .map(|work| (work.left(), work))
                .filter(|(left, _)| *left > 0)
                .max_by_key(|(left, _)| *left)
                .map(|(_, work)| Arc::clone(work));
            match most {
                Some(work) => {
                    drop(open);
                    work.help();
                    open = self.lock();
                }
                None => {
                    open = self
                        .changed
                        .wait(open)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open<'a>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
