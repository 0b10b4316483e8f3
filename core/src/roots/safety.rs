//! Whether a place can be trusted: nobody but the user and root may be able to change what is in it, or to put another
//! directory in its place.
//!
//! The walk starts at `/` and goes down one component at a time, following symbolic links by itself. Each directory on
//! the way belongs to the user or to root and is writable by no other, unless it is sticky: then others may add to it,
//! but not replace what is there. The root itself makes no exception for sticky ones. So whatever was checked can't be
//! changed by others any more when the next component is looked at: there is no race to win, and a path is as good as a
//! descriptor. (sshd checks its files by the same rule.)
//!
//! - **Groups.** A group that may write is an other, but for two: group 0 counts as root, and the user's private group
//!   (it has the number of the user, who is in it and owns the directory) as the user. An access control list shows in
//!   the group bits, which are its mask; where there is one, no group is excused.
//! - **Volumes.** `PEXBOOT_TRUST` is the operator's word for directories whose owner and mode cannot be had right. Such a
//!   directory, and what is above it, passes unseen. Below it all else holds, with its owner counted as root and its
//!   group as group 0; a link that leads out of it is judged like any other. Where the root is the very directory, its
//!   format directory is judged in its place.
//! - **User namespaces.** Where root has no number, what is root's shows another owner, `/` too. So the owner of `/`
//!   counts as root, save where others could have made the thing: in a sticky directory, and as the root itself. And
//!   where the user has no number, files of everybody who has none show the same owner: there the system is asked
//!   whether a directory is really the user's ([`Eyes::owns`]).

use alloc::vec::Vec;

use crate::paths::{FORMAT, below};

/// The user for whom a place is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User<'a> {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// `PEXBOOT_TRUST`: directories, colon separated, of which the absolute ones count.
    pub trust: &'a [u8],
}

/// What a path is, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Directory, link or neither.
    pub kind: SeenKind,
    /// Permission bits, with the sticky one.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What kind of thing a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// What the walk needs to see of the file system.
pub trait Eyes {
    /// `lstat`.
    ///
    /// # Errors
    /// [`Why::Missing`] or [`Why::Unseen`].
    fn lstat(&self, path: &[u8]) -> Result<Seen, Why>;
    /// `readlink`; `None` when it can't be read.
    fn readlink(&self, path: &[u8]) -> Option<Vec<u8>>;
    /// Whether this process has the owner's rights over the directory or regular file there, whatever number its owner
    /// shows.
    fn owns(&self, path: &[u8]) -> bool;
    /// Whether an access control list says more than the mode does.
    fn has_acl(&self, path: &[u8]) -> bool;
}

/// A place that can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path that failed: the root or something above it, links resolved so far.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing is there. Everything above has passed, so whoever may create it can do so and ask again.
    Missing,
    /// It can't be looked at.
    Unseen,
    /// It is not absolute.
    Relative,
    /// It is no directory, or no regular file where one is wanted.
    NotDirectory,
    /// It belongs to this other user.
    Owner(u32),
    /// Others may write to it.
    Writable {
        /// Its mode.
        mode: u32,
        /// Its owner.
        owner: u32,
    },
    /// More links than [`LINKS_MAX`] were followed.
    Links,
}

/// How many symbolic links are followed on one path, as the kernel has it.
pub const LINKS_MAX: u32 = 40;

/// The owner that is shown of what has no number in a user namespace, unless the machine's administrator has set another
/// (`kernel.overflowuid`).
pub const NUMBERLESS: u32 = 65_534;

const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o022;

/// A directory that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safe {
    /// Its path without links and dots.
    pub path: Vec<u8>,
    writers: Writers,
}

impl Safe {
    /// Whether nobody but those who may write to this directory can have written a thing that lies in it or below.
    #[must_use]
    pub fn trusts(&self, seen: Seen) -> bool {
        self.writers.own(seen.uid) && !self.writers.share(seen)
    }
}

/// Who may write to a place: the user, root, and for a volume who else its operator trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Writers {
    uid: u32,
    gid: u32,
    /// Owner and group of the trusted directory that the place lies below.
    volume: Option<(u32, u32)>,
}

impl Writers {
    fn own(&self, uid: u32) -> bool {
        uid == self.uid || uid == 0 || self.volume.is_some_and(|(owner, _)| owner == uid)
    }

    /// Whether others than the writers may write to a thing of theirs.
    fn share(&self, seen: Seen) -> bool {
        let private = seen.uid == self.uid && seen.gid == self.gid && self.gid == self.uid;
        let excused =
            private || seen.gid == 0 || self.volume.is_some_and(|(_, group)| group == seen.gid);
        let others = match excused {
            true => OTHERS_WRITE & !GROUP_WRITES,
            false => OTHERS_WRITE,
        };
        seen.mode & others != 0
    }
}

/// Checks the directory at `root`, by the rule above.
///
/// One `lstat` for each component, one `readlink` for each link. A group's right to write costs another look.
///
/// # Errors
/// The first path that fails, and why.
pub fn check(root: &[u8], user: User<'_>, eyes: &impl Eyes) -> Result<Safe, Fault> {
    Walk::new(user, eyes, false).to(root)
}

/// Checks the regular file at `path`, by the same rule; its path without links and dots.
///
/// # Errors
/// The first path that fails, and why.
pub fn check_file(path: &[u8], user: User<'_>, eyes: &impl Eyes) -> Result<Vec<u8>, Fault> {
    Walk::new(user, eyes, true).to(path).map(|safe| safe.path)
}

/// The components of a path that mean something, last one first.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.rsplit(|&b| b == b'/')
        .filter(|c| !c.is_empty() && *c != b".")
        .map(<[u8]>::to_vec)
}

/// The directories from `/` down to where the walk is.
struct Walk<'e, E> {
    eyes: &'e E,
    writers: Writers,
    /// The trusted directories, links resolved.
    volumes: Vec<Vec<u8>>,
    /// Whether anything is judged at all.
    judges: bool,
    /// Whether a fault is the end: there is no trusted directory further down that could make up for it.
    is_final: bool,
    /// Whether the path may end at a regular file.
    to_file: bool,
    /// Owner of `/`.
    chief: u32,
    /// What was seen of each, `/` first.
    stack: Vec<Step>,
    /// Path of the last; empty for `/`.
    path: Vec<u8>,
}

/// A directory on the way.
struct Step {
    seen: Seen,
    /// What is wrong with it; of `/` also what was wrong on the way, a link that a stranger has laid, say.
    fault: Option<Fault>,
    /// Whether it is a trusted directory: then nothing counts that is wrong above it.
    trusted: bool,
    /// The owner and the group of the volume that it is, or lies in.
    volume: Option<(u32, u32)>,
}

impl<'e, E: Eyes> Walk<'e, E> {
    fn new(user: User<'_>, eyes: &'e E, to_file: bool) -> Walk<'e, E> {
        let writers = Writers {
            uid: user.uid,
            gid: user.gid,
            volume: None,
        };
        let mut walk = Walk {
            eyes,
            writers,
            volumes: Vec::new(),
            judges: false,
            is_final: false,
            to_file: false,
            chief: 0,
            stack: Vec::new(),
            path: Vec::new(),
        };
        for trusted in user.trust.split(|&b| b == b':') {
            // One that is not there has nothing in it.
            if !trusted.is_empty()
                && let Ok(volume) = walk.to(trusted)
            {
                walk.volumes.push(volume.path);
            }
        }
        walk.judges = true;
        walk.is_final = walk.volumes.is_empty();
        walk.to_file = to_file;
        walk
    }

    /// Goes to `target` from `/`.
    fn to(&mut self, target: &[u8]) -> Result<Safe, Fault> {
        if target.first() != Some(&b'/') {
            return fault(target, Why::Relative);
        }
        self.stack.clear();
        self.path.clear();
        let top = self.lstat(b"/")?;
        self.chief = top.uid;
        self.enter(top, b"/".to_vec())?;

        // Components still to go, the next one last.
        let mut ahead: Vec<Vec<u8>> = components(target).collect();
        let mut links = 0;
        while let Some(component) = ahead.pop() {
            if component == b".." {
                self.leave();
                continue;
            }
            let path = [&self.path, b"/".as_slice(), &component].concat();
            let seen = self.lstat(&path)?;
            match seen.kind {
                SeenKind::Directory => self.enter(seen, path)?,
                SeenKind::Link => {
                    if !self.own(seen, &path) && !self.is_chiefs(seen) {
                        let laid = fault::<()>(&path, Why::Owner(seen.uid));
                        if self.is_final {
                            laid?;
                        } else {
                            self.remember(laid.err());
                        }
                    }
                    links += 1;
                    if links > LINKS_MAX {
                        return fault(&path, Why::Links);
                    }
                    let Some(target) = self.eyes.readlink(&path) else {
                        return fault(&path, Why::Unseen);
                    };
                    if target.first() == Some(&b'/') {
                        self.back_to(1);
                        self.path.clear();
                    }
                    ahead.extend(components(&target));
                }
                SeenKind::File if self.to_file && ahead.is_empty() => {
                    self.passed()?;
                    self.judge(seen, &path, true)?;
                    return Ok(self.safe(path));
                }
                SeenKind::File | SeenKind::Other => return fault(&path, Why::NotDirectory),
            }
        }
        if self.to_file {
            let path = self.path.clone();
            return fault(&path, Why::NotDirectory);
        }
        self.directory()
    }

    fn lstat(&self, path: &[u8]) -> Result<Seen, Fault> {
        self.eyes.lstat(path).or_else(|why| {
            // What is missing would be made: not below what has not passed.
            self.passed()?;
            fault(path, why)
        })
    }

    /// The writers of what lies where the walk is.
    fn writers(&self) -> Writers {
        Writers {
            volume: self.stack.last().and_then(|above| above.volume),
            ..self.writers
        }
    }

    /// Judges a directory or file in the directory where the walk is. On the way to something else, the owner of `/` and
    /// the sticky bit are excuses.
    fn judge(&self, seen: Seen, path: &[u8], on_the_way: bool) -> Result<(), Fault> {
        let owned = self.own(seen, path) || on_the_way && self.is_chiefs(seen);
        if !owned {
            return fault(path, Why::Owner(seen.uid));
        }
        let sticky = seen.kind == SeenKind::Directory && seen.mode & STICKY != 0;
        if self.shared(seen, path) && !(on_the_way && sticky) {
            let (mode, owner) = (seen.mode, seen.uid);
            return fault(path, Why::Writable { mode, owner });
        }
        Ok(())
    }

    /// Whether it belongs to the owner of `/`, and others could not have made it.
    fn is_chiefs(&self, seen: Seen) -> bool {
        let above = self.stack.last();
        seen.uid == self.chief && above.is_none_or(|above| above.seen.mode & OTHERS_WRITE == 0)
    }

    /// Whether it belongs to somebody who may write here.
    fn own(&self, seen: Seen, path: &[u8]) -> bool {
        let writers = self.writers();
        if seen.uid == NUMBERLESS && writers.uid == NUMBERLESS {
            // The number says nothing, and a link can't be asked whose it is.
            return seen.kind != SeenKind::Link && self.eyes.owns(path);
        }
        writers.own(seen.uid)
    }

    /// Whether others than the writers may write to it.
    fn shared(&self, seen: Seen, path: &[u8]) -> bool {
        seen.mode & OTHERS_WRITE != 0
            && (self.writers().share(seen)
                || seen.mode & GROUP_WRITES != 0 && self.eyes.has_acl(path))
    }

    /// Goes down into a directory.
    fn enter(&mut self, seen: Seen, path: Vec<u8>) -> Result<(), Fault> {
        let trusted = self.volumes.contains(&path);
        let fault = match self.judge(seen, &path, true) {
            Err(fault) if self.is_final => return Err(fault),
            judged => judged.err(),
        };
        let volume = match trusted {
            true => Some((seen.uid, seen.gid)),
            false => self.stack.last().and_then(|above| above.volume),
        };
        self.stack.push(Step {
            seen,
            fault,
            trusted,
            volume,
        });
        self.path = if path == b"/" { Vec::new() } else { path };
        Ok(())
    }

    /// Goes up by one; `/` is above itself.
    fn leave(&mut self) {
        self.back_to(self.stack.len().saturating_sub(1).max(1));
        let slash = self.path.iter().rposition(|&b| b == b'/').unwrap_or(0);
        self.path.truncate(slash);
    }

    /// Leaves all but the first directories. What was wrong on the way there goes on to be wrong.
    fn back_to(&mut self, count: usize) {
        let fault = self.passed().err();
        self.stack.truncate(count);
        self.remember(fault);
    }

    /// Notes a fault of the way, not of a directory: with `/`, which is never left.
    fn remember(&mut self, fault: Option<Fault>) {
        if let Some(top) = self.stack.first_mut() {
            top.fault = top.fault.take().or(fault);
        }
    }

    /// Whether everything from `/`, or from the last trusted directory, to where the walk is has passed.
    fn passed(&self) -> Result<(), Fault> {
        if self.is_final {
            return Ok(());
        }
        let below = self.stack.iter().rposition(|step| step.trusted);
        let counts = self.stack.iter().skip(below.map_or(0, |at| at + 1));
        match counts.filter_map(|step| step.fault.as_ref()).next() {
            Some(fault) if self.judges => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    /// The directory where the walk is, as a root.
    fn directory(&self) -> Result<Safe, Fault> {
        self.passed()?;
        let path = if self.path.is_empty() {
            b"/".to_vec()
        } else {
            self.path.clone()
        };
        let safe = self.safe(path);
        let Some(last) = self.stack.last().filter(|_| self.judges) else {
            return Ok(safe);
        };
        if !self.volumes.contains(&safe.path) {
            return self.judge(last.seen, &safe.path, false).map(|()| safe);
        }
        let format = below(&safe.path, &[FORMAT.as_bytes()]);
        match self.eyes.lstat(&format) {
            Ok(seen) if seen.kind == SeenKind::Directory => {
                self.judge(seen, &format, false).map(|()| safe)
            }
            Ok(_) => fault(&format, Why::NotDirectory),
            Err(Why::Missing) => Ok(safe),
            Err(why) => fault(&format, why),
        }
    }

    /// What has passed.
    fn safe(&self, path: Vec<u8>) -> Safe {
        Safe {
            path,
            writers: self.writers(),
        }
    }
}

fn fault<T>(path: &[u8], why: Why) -> Result<T, Fault> {
    Err(Fault {
        path: path.to_vec(),
        why,
    })
}

#[cfg(test)]
mod tests;
