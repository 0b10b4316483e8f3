//! P: which file was started, and what it is.

use alloc::vec::Vec;

use pexboot_core::env;
use pexboot_core::paths::below;
use rustix::fd::AsRawFd;
use rustix::fs::{Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::entry::Process;
use crate::failure::{Code, Failure};
use pexboot_core::machine::{self, c};

/// This very program, as the kernel keeps it.
pub const SELF: &[u8] = b"/proc/self/exe";

/// The file that is launched.
pub struct File {
    /// P: as invoked, absolute, not normalised but for a leading `./`.
    pub path: Vec<u8>,
    /// P with every link resolved.
    pub real: Vec<u8>,
    /// What it is, links followed; `None` when nothing can be seen there.
    pub stat: Option<Stat>,
}

impl File {
    /// Finds P.
    ///
    /// 1. `_PEXBOOT_FILE`, from a caller that runs the stub out of a copy.
    /// 2. The path that was executed (`AT_EXECFN`), if it is this program.
    /// 3. If it is not, the program was started as the interpreter of a script, or through a descriptor: then the path of
    ///    the program itself.
    ///
    /// Without /proc what was executed is believed.
    pub fn invoked(process: &Process) -> Result<File, Failure> {
        if let Some(path) = env::get(&process.env, b"_PEXBOOT_FILE") {
            let path = absolute(path)?;
            let stat = rustix::fs::stat(c(&path)).ok();
            let real = resolved(&path).unwrap_or_else(|| path.clone());
            return Ok(File { path, real, stat });
        }
        let real = machine::link(SELF);
        let executed = process.execfn.filter(|path| !path.starts_with(b"/dev/fd/"));
        let Some(real) = real else {
            let Some(executed) = executed else {
                return Err(Failure::new(
                    Code::Io,
                    &[b"can't tell which file was started: /proc is not mounted"],
                ));
            };
            let path = absolute(executed)?;
            let stat = rustix::fs::stat(c(&path)).ok();
            return Ok(File {
                real: path.clone(),
                path,
                stat,
            });
        };
        if let Some(executed) = executed {
            let path = absolute(executed)?;
            let stat = rustix::fs::stat(c(&path)).ok();
            let this = rustix::fs::stat(c(SELF)).ok();
            if same(stat.as_ref(), this.as_ref()) {
                return Ok(File { path, real, stat });
            }
            // Somebody put another file there in this very moment: it is the one that was meant.
            if real.ends_with(b" (deleted)") && stat.is_some() {
                return Ok(File {
                    real: resolved(&path).unwrap_or_else(|| path.clone()),
                    path,
                    stat,
                });
            }
        }
        let stat = rustix::fs::stat(c(&real)).ok();
        Ok(File {
            path: real.clone(),
            real,
            stat,
        })
    }

    /// The application's name: the last component of P.
    pub fn name(&self) -> &[u8] {
        self.path
            .rsplit(|&b| b == b'/')
            .next()
            .unwrap_or(&self.path)
    }
}

/// Whether both are there and one file.
fn same(a: Option<&Stat>, b: Option<&Stat>) -> bool {
    a.zip(b)
        .is_some_and(|(a, b)| a.st_ino == b.st_ino && a.st_dev == b.st_dev)
}

/// `path` from the root on.
fn absolute(path: &[u8]) -> Result<Vec<u8>, Failure> {
    if path.starts_with(b"/") {
        return Ok(path.to_vec());
    }
    let mut path = path;
    while let Some(mut rest) = path.strip_prefix(b"./") {
        while let Some(further) = rest.strip_prefix(b"/") {
            rest = further;
        }
        path = rest;
    }
    match machine::cwd() {
        Some(cwd) => Ok(below(&cwd, &[path])),
        None => Err(Failure::system(
            Code::Io,
            b"no working directory, so no absolute path for",
            path,
            Errno::NOENT,
        )),
    }
}

/// `path` with every link resolved, as the kernel sees it.
fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    let file = rustix::fs::open(c(path), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let number = u32::try_from(file.as_raw_fd()).ok()?;
    let entry = [
        b"/proc/self/fd/",
        pexboot_core::paths::decimal(number).as_slice(),
    ]
    .concat();
    machine::link(&entry)
}
