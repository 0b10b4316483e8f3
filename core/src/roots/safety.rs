//! Whether a root can be trusted: nobody but the user and root may be able to change what is in it, or to put another
//! directory in its place.
//!
//! The walk starts at `/` and goes down one component at a time, following symbolic links by itself. Each directory on
//! the way belongs to the user or to root and is writable by no other, unless it is sticky: then others may add to it,
//! but not replace what is there. The root itself makes no exception for sticky ones. So whatever was checked can't be
//! changed by others any more when the next component is looked at: there is no race to win, and a path is as good as a
//! descriptor. (sshd checks its files by the same rule; access control lists show in the group bits, which are their
//! mask.)
//!
//! In a user namespace in which root has no number, what belongs to it shows another owner, `/` too. So the owner of `/`
//! counts as root, save where others could have made the thing: in a sticky directory, and as the root itself.

use alloc::vec::Vec;

/// What a path is, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Directory, link or neither.
    pub kind: SeenKind,
    /// Permission bits, with the sticky one.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
}

/// What kind of thing a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenKind {
    /// A directory.
    Directory,
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
}

/// A root that can't be trusted.
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
    /// It is no directory.
    NotDirectory,
    /// It belongs to this other user.
    Owner(u32),
    /// Others may write to it: its mode.
    Writable(u32),
    /// More links than [`LINKS_MAX`] were followed.
    Links,
}

/// How many symbolic links are followed on one path, as the kernel has it.
pub const LINKS_MAX: u32 = 40;

const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// Checks the directory at `root`, by the rule above, for the user `euid`. The result is its path without links and dots.
///
/// One `lstat` for each component, one `readlink` for each link.
///
/// # Errors
/// The first path that fails, and why.
pub fn check(root: &[u8], euid: u32, eyes: &impl Eyes) -> Result<Vec<u8>, Fault> {
    if root.first() != Some(&b'/') {
        return Err(Fault {
            path: root.to_vec(),
            why: Why::Relative,
        });
    }
    let top = lstat(b"/", eyes)?;
    let mut walk = Walk {
        euid,
        chief: top.uid,
        stack: Vec::new(),
        path: Vec::new(),
    };
    walk.enter(top, b"/".to_vec())?;

    // Components still to go, the next one last.
    let mut ahead: Vec<Vec<u8>> = components(root).collect();
    let mut links = 0;
    while let Some(component) = ahead.pop() {
        if component == b".." {
            walk.leave();
            continue;
        }
        let path = [&walk.path, b"/".as_slice(), &component].concat();
        let seen = lstat(&path, eyes)?;
        match seen.kind {
            SeenKind::Directory => walk.enter(seen, path)?,
            SeenKind::Link => {
                walk.owned(seen, &path)?;
                links += 1;
                if links > LINKS_MAX {
                    return Err(Fault {
                        path,
                        why: Why::Links,
                    });
                }
                let Some(target) = eyes.readlink(&path) else {
                    return Err(Fault {
                        path,
                        why: Why::Unseen,
                    });
                };
                if target.first() == Some(&b'/') {
                    walk.restart();
                }
                ahead.extend(components(&target));
            }
            SeenKind::Other => {
                return Err(Fault {
                    path,
                    why: Why::NotDirectory,
                });
            }
        }
    }
    walk.finish()
}

fn lstat(path: &[u8], eyes: &impl Eyes) -> Result<Seen, Fault> {
    eyes.lstat(path).map_err(|why| Fault {
        path: path.to_vec(),
        why,
    })
}

/// The components of a path that mean something, last one first.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.rsplit(|&b| b == b'/')
        .filter(|c| !c.is_empty() && *c != b".")
        .map(<[u8]>::to_vec)
}

/// The directories from `/` down to where the walk is, all of them checked.
struct Walk {
    euid: u32,
    /// Owner of `/`.
    chief: u32,
    /// What was seen of each, `/` first.
    stack: Vec<Seen>,
    /// Path of the last; empty for `/`.
    path: Vec<u8>,
}

impl Walk {
    /// Whether what lies in the directory where the walk is belongs to somebody who may be trusted.
    fn owned(&self, seen: Seen, path: &[u8]) -> Result<(), Fault> {
        let open_to_others = self
            .stack
            .last()
            .is_some_and(|above| above.mode & OTHERS_WRITE != 0);
        if seen.uid == self.euid || seen.uid == 0 || (seen.uid == self.chief && !open_to_others) {
            Ok(())
        } else {
            Err(Fault {
                path: path.to_vec(),
                why: Why::Owner(seen.uid),
            })
        }
    }

    /// Goes down into a directory.
    fn enter(&mut self, seen: Seen, path: Vec<u8>) -> Result<(), Fault> {
        self.owned(seen, &path)?;
        if seen.mode & OTHERS_WRITE != 0 && seen.mode & STICKY == 0 {
            return Err(Fault {
                path,
                why: Why::Writable(seen.mode),
            });
        }
        self.path = if path == b"/" { Vec::new() } else { path };
        self.stack.push(seen);
        Ok(())
    }

    /// Goes up by one; `/` is above itself.
    fn leave(&mut self) {
        if self.stack.len() > 1 {
            self.stack.pop();
            let slash = self.path.iter().rposition(|&b| b == b'/').unwrap_or(0);
            self.path.truncate(slash);
        }
    }

    /// Goes back to `/`.
    fn restart(&mut self) {
        self.stack.truncate(1);
        self.path.clear();
    }

    /// The directory where the walk is, as a root.
    fn finish(self) -> Result<Vec<u8>, Fault> {
        let path = if self.path.is_empty() {
            b"/".to_vec()
        } else {
            self.path
        };
        let why = match self.stack.last() {
            Some(seen) if seen.uid != self.euid && seen.uid != 0 => Why::Owner(seen.uid),
            Some(seen) if seen.mode & OTHERS_WRITE != 0 => Why::Writable(seen.mode),
            _ => return Ok(path),
        };
        Err(Fault { path, why })
    }
}

#[cfg(test)]
mod tests;
