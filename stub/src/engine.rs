//! A cold start: the engine, from a root where it lies unpacked, else unpacked here into memory, else into a file.
//!
//! What is run from a root is guarded by who may write there, and the engine puts itself there only after checking itself
//! against the seal's digest. What is unpacked here comes out of the very file that is being executed: whoever could
//! change it could change this program, so a checksum against accidents is all that can be had.

use alloc::vec::Vec;

use pexboot_core::checksum::checksum;
use pexboot_core::env;
use pexboot_core::hex::hex;
use pexboot_core::lz4::decompress;
use pexboot_core::paths::{self, below, decimal};
use pexboot_core::roots::safety::{Fault, User, Why};
use pexboot_core::roots::{Candidate, Kind};
use pexboot_core::seal::Seal;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::directory::made;
use crate::entry::Process;
use crate::failure::{Code, Failure, reason};
use crate::file::{File, SELF};
use crate::system::{self, Clock};
use crate::turn::Lock;
use pexboot_core::machine::{self, c};

/// No engine is larger, packed or not: 256 MiB.
const SIZE_MAX: u64 = 256 << 20;
/// Longest name of a memory file (memfd_create(2)).
const NAME_MAX: usize = 249;

/// Starts the engine, which gets the lock of the first start, where this is one. What comes back is why not. `began` is
/// when this process did, where the launch is traced.
pub fn start(
    process: &Process,
    seal: &Seal,
    file: &File,
    roots: &[Candidate],
    began: Option<[i64; 2]>,
    lock: Option<&mut Lock>,
) -> Failure {
    let variable = [b"_PEXBOOT_FILE=", file.path.as_slice()].concat();
    let mut env = env::with(&process.env, &variable);
    let stamps = began.map(stamps);
    if let Some(stamps) = &stamps {
        env = env::with(&env, stamps);
    }
    let lock = lock.and_then(Lock::hand_over);
    if let Some(lock) = &lock {
        env = env::with(&env, lock);
    }
    let engine = Engine {
        argv: &process.args,
        env: &env,
        seal,
        user: process.user(),
    };
    engine.run_unpacked(roots);
    let bytes = match engine.unpack(file) {
        Ok(bytes) => bytes,
        Err(failure) => return failure,
    };
    let refused = engine.run_from_memory(file.name(), &bytes);
    engine.run_from_file(roots, &bytes, refused)
}

/// What the engine is told of a launch that is traced: when it began, and when the engine was asked for, each as seconds
/// and nanoseconds of [`Clock::Monotonic`]; eight bytes a number, little-endian, in hexadecimal.
fn stamps(began: [i64; 2]) -> Vec<u8> {
    let asked = Clock::Monotonic.now();
    let mut bytes = [0; 32];
    let numbers = [began[0], began[1], asked[0], asked[1]];
    for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
        *place = number.to_le_bytes();
    }
    [b"_PEXBOOT_TRACE=".as_slice(), hex(&bytes).as_bytes()].concat()
}

struct Engine<'a> {
    argv: &'a [&'a [u8]],
    env: &'a [&'a [u8]],
    seal: &'a Seal,
    user: User<'a>,
}

impl Engine<'_> {
    /// Runs the engine that an earlier launch left in a root.
    fn run_unpacked(&self, roots: &[Candidate]) {
        for root in roots {
            let Ok(root) = machine::safe(&root.path, self.user) else {
                continue;
            };
            let path = paths::engine(&root.path, &self.seal.engine_digest);
            let usable = rustix::fs::lstat(c(&path)).is_ok_and(|stat| {
                machine::trusted(&stat, &root) && stat.st_size as u64 == self.seal.engine_full_size
            });
            if usable {
                // It may have lost its bytes to a power cut, or lie where nothing may be executed: there is another way.
                let _ = system::execute(&path, self.argv, self.env);
            }
        }
    }

    /// The engine that this file carries, checked.
    fn unpack(&self, file: &File) -> Result<Vec<u8>, Failure> {
        let seal = self.seal;
        let damaged = |what: &[u8]| {
            let again = b"; the file is damaged, get it again";
            Failure::new(
                Code::BadFile,
                &[b"`", &file.path, b"`: the engine in it ", what, again],
            )
        };
        if seal.engine_size > SIZE_MAX || seal.engine_full_size > SIZE_MAX {
            return Err(damaged(b"claims an impossible size"));
        }
        // The running program and not P: they differ when this runs out of a copy.
        let itself = open_following(SELF).or_else(|_| open_following(&file.path));
        let itself = itself
            .map_err(|errno| Failure::system(Code::BadFile, b"can't read", &file.path, errno))?;
        // Both fit: they were capped.
        let packed = machine::read(&itself, seal.stub_size, seal.engine_size as usize)
            .ok_or_else(|| damaged(b"is cut short, as `strip -R` does it"))?;
        if checksum(&packed) != seal.engine_sum {
            return Err(damaged(b"is not the one that was put there"));
        }
        let mut bytes = alloc::vec![0; seal.engine_full_size as usize];
        if decompress(&packed, &mut bytes) != Some(bytes.len()) {
            return Err(damaged(b"can't be unpacked"));
        }
        Ok(bytes)
    }

    /// Runs the engine from a file that is only in memory.
    fn run_from_memory(&self, name: &[u8], bytes: &[u8]) -> Errno {
        let name = c(name.get(..NAME_MAX).unwrap_or(name));
        // Since Linux 6.3 a host can ask for the flag; before, it is not known.
        let flags = MemfdFlags::CLOEXEC;
        let file = rustix::fs::memfd_create(name.as_c_str(), flags | MemfdFlags::EXEC)
            .or_else(|_| rustix::fs::memfd_create(name.as_c_str(), flags));
        match file.and_then(|file| write(&file, bytes).map(|()| file)) {
            Ok(file) => system::execute_file(file.as_fd(), self.argv, self.env),
            Err(errno) => errno,
        }
    }

    /// Runs the engine from a file in the first root that can be written to. The engine takes the file away.
    fn run_from_file(&self, roots: &[Candidate], bytes: &[u8], refused: Errno) -> Failure {
        let why = b"the engine can't be run from memory: ";
        let mut last = Failure::new(Code::NoRoot, &[why, &reason(refused)]);
        for root in roots.iter().filter(|root| root.kind != Kind::Seed) {
            let directory = match made(&root.path, paths::TMP, self.user) {
                Ok(directory) => directory.path,
                Err(fault) => {
                    last = distrust(&fault);
                    continue;
                }
            };
            let path = below(&directory, &[&unique()]);
            if let Err(errno) = write_new(&path, bytes) {
                last = Failure::system(Code::Io, b"can't write", &path, errno);
                continue;
            }
            let errno = system::execute(&path, self.argv, self.env);
            let _ = rustix::fs::unlink(c(&path));
            last = Failure::system(Code::Io, b"can't run the engine from", &path, errno);
        }
        last
    }
}

/// Opens a file to read it, links followed.
fn open_following(path: &[u8]) -> Result<OwnedFd, Errno> {
    rustix::fs::open(c(path), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn write(file: impl AsFd, bytes: &[u8]) -> Result<(), Errno> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(&file, rest) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A program of the user's own with these bytes, at a path where there is nothing; nothing is left there on failure.
fn write_new(path: &[u8], bytes: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::open(c(path), flags, Mode::RWXU)?;
    // The umask may have taken bits away. Closed before anybody executes it: a file open for writing can't be.
    let done = rustix::fs::fchmod(&file, Mode::RWXU).and_then(|()| write(&file, bytes));
    if done.is_err() {
        let _ = rustix::fs::unlink(c(path));
    }
    done
}

/// `engine-PID-TIME`: two machines or containers on one root have processes of the same number.
fn unique() -> Vec<u8> {
    let number = |n: i64| decimal(u32::try_from(n).unwrap_or_default());
    let [_, nanoseconds] = Clock::Realtime.now();
    let pid = i64::from(rustix::process::getpid().as_raw_nonzero().get());
    [
        b"engine-".as_slice(),
        &number(pid),
        b"-",
        &number(nanoseconds),
    ]
    .concat()
}

fn distrust(fault: &Fault) -> Failure {
    let why: &[u8] = match fault.why {
        Why::Missing => b"can't be created",
        Why::Unseen => b"can't be looked at",
        Why::Relative => b"is not absolute",
        Why::NotDirectory => b"is not a directory",
        Why::Owner(_) => b"belongs to another user",
        Why::Writable { .. } => b"can be written to by others",
        Why::Links => b"has too many symbolic links",
    };
    let help = b"; set PEX_ROOT to a directory of your own";
    Failure::new(
        Code::NoRoot,
        &[b"no usable root: `", &fault.path, b"` ", why, help],
    )
}
