//! The machine as replay and the rule of safe directories see it. Everything here only looks.

use alloc::ffi::CString;
use alloc::vec::Vec;

use crate::checksum::{Sum, checksum};
use crate::plan::{Content, Identity};
use crate::replay::World;
use crate::roots::safety::{Eyes, Fault, Safe, Seen, SeenKind, User, Why, check, check_file};
use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Access, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

/// A path as system calls take it. One with a zero byte in it is no path: the empty one stands for it, which is nowhere.
///
/// (rustix takes any bytes, by code of its own in each place that calls it; that would be a tenth of the stub.)
pub fn c(path: &[u8]) -> CString {
    CString::new(path).unwrap_or_default()
}

/// The working directory; `None` when it is gone or out of sight.
pub fn cwd() -> Option<Vec<u8>> {
    let path = rustix::process::getcwd(Vec::with_capacity(512))
        .ok()?
        .into_bytes();
    // Outside of the process's root the kernel says `(unreachable)/…`.
    path.starts_with(b"/").then_some(path)
}

/// What the symbolic link there reads.
pub fn link(path: &[u8]) -> Option<Vec<u8>> {
    // Room for any usual path at once: each further try is a system call.
    Some(
        rustix::fs::readlink(c(path), Vec::with_capacity(512))
            .ok()?
            .into_bytes(),
    )
}

/// Opens a file to read it, without following a link at its end.
pub fn open(path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(c(path), flags, Mode::empty())
}

/// The `size` bytes of a file from `offset` on; `None` when there are less, or they can't be read.
pub fn read(file: impl AsFd, offset: u64, size: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let at = offset.checked_add(bytes.len() as u64)?;
        match rustix::io::pread(&file, spare_capacity(&mut bytes), at) {
            Ok(0) => return None,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    // The room may be larger than what was asked for.
    bytes.truncate(size);
    Some(bytes)
}

/// What kind of thing a file is.
pub fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Whether it is a regular file that nobody but those who may write to the root in which it lies can have written.
pub fn trusted(stat: &Stat, root: &Safe) -> bool {
    file_type(stat) == FileType::RegularFile && root.trusts(seen(stat))
}

/// The root, if it can be trusted.
pub fn safe(root: &[u8], user: User<'_>) -> Result<Safe, Fault> {
    check(root, user, &Lstat)
}

/// The path of the regular file there, links resolved, if nobody but the user and root can have written it or put it
/// there.
pub fn safe_file(path: &[u8], user: User<'_>) -> Result<Vec<u8>, Fault> {
    check_file(path, user, &Lstat)
}

fn seen(stat: &Stat) -> Seen {
    Seen {
        kind: match file_type(stat) {
            FileType::Directory => SeenKind::Directory,
            FileType::RegularFile => SeenKind::File,
            FileType::Symlink => SeenKind::Link,
            _ => SeenKind::Other,
        },
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
    }
}

/// The file system for the rule of safe directories.
struct Lstat;

impl Eyes for Lstat {
    fn lstat(&self, path: &[u8]) -> Result<Seen, Why> {
        let stat = rustix::fs::lstat(c(path)).map_err(|errno| match errno {
            Errno::NOENT => Why::Missing,
            _ => Why::Unseen,
        })?;
        Ok(seen(&stat))
    }

    fn readlink(&self, path: &[u8]) -> Option<Vec<u8>> {
        link(path)
    }

    fn owns(&self, path: &[u8]) -> bool {
        // The owner alone may read without a trace: the kernel compares the real numbers, not those that it shows.
        let flags = OFlags::RDONLY
            | OFlags::NOATIME
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC
            | OFlags::NONBLOCK;
        rustix::fs::open(c(path), flags, Mode::empty()).is_ok()
    }

    fn has_acl(&self, path: &[u8]) -> bool {
        let size = rustix::fs::lgetxattr_query(c(path), c"system.posix_acl_access");
        // Whatever else went wrong, it can't be said that there is none.
        !matches!(size, Ok(0) | Err(Errno::NODATA | Errno::OPNOTSUPP))
    }
}

/// The machine for replay.
#[derive(Debug, Clone, Copy)]
pub struct Machine;

impl World for Machine {
    fn stat(&self, path: &[u8]) -> Option<Identity> {
        rustix::fs::stat(c(path)).ok().map(|stat| identity(&stat))
    }

    fn executable(&self, path: &[u8]) -> bool {
        // Not set-id (that was refused): the real user is the effective one.
        rustix::fs::stat(c(path)).is_ok_and(|stat| file_type(&stat) == FileType::RegularFile)
            && rustix::fs::access(c(path), Access::EXEC_OK).is_ok()
    }

    fn link(&self, path: &[u8]) -> Option<Vec<u8>> {
        link(path)
    }

    fn cwd(&self) -> Option<Vec<u8>> {
        cwd()
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        /// A UUID as text and a line's end.
        const SIZE: usize = 37;
        let text = read(open(b"/proc/sys/kernel/random/boot_id").ok()?, 0, SIZE)?;
        let mut digits = text.iter().filter_map(|&b| char::from(b).to_digit(16));
        let mut id = [0; 16];
        for byte in &mut id {
            // Two digits of four bits are a byte.
            *byte = (digits.next()? << 4 | digits.next()?) as u8;
        }
        Some(id)
    }

    fn sum(&self, path: &[u8], size: u64) -> Option<[u8; 8]> {
        /// A multiple of eight.
        const PIECE: u64 = 256 << 10;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(c(path), flags, Mode::empty()).ok()?;
        if size == Content::DIRECTORY {
            return names(file);
        }
        let mut sum = Sum::default();
        let mut at = 0;
        while at < size {
            // It fits: it was capped.
            let piece = read(&file, at, (size - at).min(PIECE) as usize)?;
            sum.add(&piece);
            at += piece.len() as u64;
        }
        Some(sum.finish())
    }

    fn kernel(&self) -> Vec<u8> {
        let name = rustix::system::uname();
        let version = name.version().to_bytes();
        [name.release().to_bytes(), b"\0", version].concat()
    }
}

/// Checksum of the names in a directory, in whatever order the file system has them.
fn names(directory: OwnedFd) -> Option<[u8; 8]> {
    let mut buffer = Vec::with_capacity(8192);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut sum = 0_u64;
    while let Some(entry) = entries.next() {
        let name = u64::from_le_bytes(checksum(entry.ok()?.file_name().to_bytes()));
        sum = sum.wrapping_add(name);
    }
    Some(sum.to_le_bytes())
}

/// Whether this user may write to the directory at `path`.
#[must_use]
pub fn can_write(path: &[u8]) -> bool {
    rustix::fs::access(c(path), Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// What of a file counts for a plan.
pub fn identity(stat: &Stat) -> Identity {
    Identity {
        ino: stat.st_ino,
        size: stat.st_size as u64,
        mtime: stat.st_mtime,
        mtime_nsec: stat.st_mtime_nsec as u32,
        ctime: stat.st_ctime,
        ctime_nsec: stat.st_ctime_nsec as u32,
    }
}
