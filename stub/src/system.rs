//! The few system calls that rustix does not offer: executing a program, clocks, the end of the process.
//!
//! Unsafe by nature, as every system call is; what is offered here is safe to call.

#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::arch::asm;

use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// Strings as `execve` takes them.
struct Strings {
    /// All of them, each with its zero byte; what `pointers` points into.
    _bytes: Vec<u8>,
    /// The beginning of each, then null.
    pointers: Vec<*const u8>,
}

impl Strings {
    /// `None` when one holds a zero byte, and so can't be passed on as it is.
    fn new(list: &[&[u8]]) -> Option<Strings> {
        let size = list.iter().map(|text| text.len() + 1).sum();
        let mut bytes = Vec::with_capacity(size);
        let mut starts = Vec::with_capacity(list.len());
        for text in list {
            if text.contains(&0) {
                return None;
            }
            starts.push(bytes.len());
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
        let mut pointers = Vec::with_capacity(list.len() + 1);
        pointers.extend(
            starts
                .iter()
                .filter_map(|&at| bytes.get(at..))
                .map(<[u8]>::as_ptr),
        );
        pointers.push(core::ptr::null());
        Some(Strings {
            _bytes: bytes,
            pointers,
        })
    }
}

/// Executes a program in place of this one. What comes back is why not.
pub fn execute(program: &[u8], argv: &[&[u8]], env: &[&[u8]]) -> Errno {
    let (Some(program), Some(argv), Some(env)) = (
        Strings::new(&[program]),
        Strings::new(argv),
        Strings::new(env),
    ) else {
        return Errno::INVAL;
    };
    let Some(&program) = program.pointers.first() else {
        return Errno::INVAL;
    };
    // SAFETY: strings that end with zero bytes, and arrays of them that end with null.
    unsafe {
        errno(syscall(
            EXECVE,
            [
                program as usize,
                argv.pointers.as_ptr() as usize,
                env.pointers.as_ptr() as usize,
                0,
                0,
            ],
        ))
    }
}

/// Executes an open file in place of this program. What comes back is why not.
pub fn execute_file(file: BorrowedFd<'_>, argv: &[&[u8]], env: &[&[u8]]) -> Errno {
    const AT_EMPTY_PATH: usize = 0x1000;
    let (Some(argv), Some(env)) = (Strings::new(argv), Strings::new(env)) else {
        return Errno::INVAL;
    };
    let Ok(number) = usize::try_from(file.as_raw_fd()) else {
        return Errno::BADF;
    };
    // SAFETY: as for `execute`, with an empty string for the path.
    unsafe {
        errno(syscall(
            EXECVEAT,
            [
                number,
                c"".as_ptr() as usize,
                argv.pointers.as_ptr() as usize,
                env.pointers.as_ptr() as usize,
                AT_EMPTY_PATH,
            ],
        ))
    }
}

/// A clock of the kernel (clock_gettime(2)).
#[derive(Clone, Copy)]
pub enum Clock {
    /// Since 1970.
    Realtime = 0,
    /// Since the machine started, the same for all its processes; never set back.
    Monotonic = 1,
}

impl Clock {
    /// Its time in seconds and nanoseconds; zeros when the kernel does not say.
    pub fn now(self) -> [i64; 2] {
        let mut time = [0; 2];
        // SAFETY: a timespec is two 64-bit numbers on 64-bit machines.
        unsafe {
            syscall(
                CLOCK_GETTIME,
                [self as usize, (&raw mut time) as usize, 0, 0, 0],
            )
        };
        time
    }
}

/// Ends the process.
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: takes a number, touches nothing, does not come back.
        unsafe { syscall(EXIT_GROUP, [usize::from(code), 0, 0, 0, 0]) };
    }
}

fn errno(result: isize) -> Errno {
    i32::try_from(-result).map_or(Errno::INVAL, Errno::from_raw_os_error)
}

// Numbers of system calls, from the kernel's asm/unistd.h.
#[cfg(target_arch = "x86_64")]
const EXECVE: usize = 59;
#[cfg(target_arch = "x86_64")]
const EXECVEAT: usize = 322;
#[cfg(target_arch = "x86_64")]
const EXIT_GROUP: usize = 231;
#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: usize = 228;
#[cfg(target_arch = "aarch64")]
const EXECVE: usize = 221;
#[cfg(target_arch = "aarch64")]
const EXECVEAT: usize = 281;
#[cfg(target_arch = "aarch64")]
const EXIT_GROUP: usize = 94;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: usize = 113;

/// # Safety
/// As the system call asks.
#[cfg(target_arch = "x86_64")]
unsafe fn syscall(number: usize, arguments: [usize; 5]) -> isize {
    let [a, b, c, d, e] = arguments;
    let result;
    // SAFETY: the calling convention of the kernel (syscall(2)); the rest is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// # Safety
/// As the system call asks.
#[cfg(target_arch = "aarch64")]
unsafe fn syscall(number: usize, arguments: [usize; 5]) -> isize {
    let [a, b, c, d, e] = arguments;
    let result;
    // SAFETY: the calling convention of the kernel (syscall(2)); the rest is the caller's promise.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            options(nostack),
        );
    }
    result
}
