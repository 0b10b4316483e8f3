//! Process entry and the few system calls that rustix does not offer: where the kernel hands over, and back.
//!
//! Rust's own `main` is out of the question twice: it needs a libc, and it opens /dev/null over closed descriptors 0-2,
//! which the application would see. So `_start` is ours. All of it is unsafe by nature; nothing else of the stub is, but
//! [`crate::memory`].

#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;

use pexboot_core::env;
use pexboot_core::roots::safety::User;
use pexboot_core::seal::{SEAL_SIZE, Seal};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

use crate::failure::{Code, Failure};

/// What the kernel tells a new process.
pub struct Process {
    /// `argv`.
    pub args: Vec<&'static [u8]>,
    /// The environment, `NAME=VALUE`.
    pub env: Vec<&'static [u8]>,
    /// The path given to `execve` (`AT_EXECFN`); a script's, where the stub is its interpreter.
    pub execfn: Option<&'static [u8]>,
    /// Real user.
    pub uid: u32,
    /// Effective user.
    pub euid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective group.
    pub egid: u32,
    /// Whether the kernel does not take the caller's word for the environment (`AT_SECURE`).
    pub secure: bool,
}

// At entry the stack pointer is at argc (System V psABI, "Initial Stack"); a call wants it aligned to 16 bytes.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    ".type _start,@function",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start,
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    ".type _start,@function",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "and sp, x0, #-16",
    "bl {start}",
    "brk #1",
    start = sym start,
);

unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: `_start` passes the stack pointer as the kernel left it.
    let process = unsafe { Process::from_stack(stack) };
    crate::launch(process).end()
}

// Keys of the auxiliary vector (getauxval(3)).
const AT_UID: usize = 11;
const AT_EUID: usize = 12;
const AT_GID: usize = 13;
const AT_EGID: usize = 14;
const AT_SECURE: usize = 23;
const AT_EXECFN: usize = 31;

impl Process {
    /// # Safety
    /// `stack` is the stack pointer at process entry, and what it points to is never written to.
    unsafe fn from_stack(stack: *const usize) -> Process {
        // SAFETY: argc is followed by that many arguments and a null, then the environment's entries and a null, then
        // pairs of the auxiliary vector up to a zero key. Every string ends with a zero byte and lives as long as the
        // process.
        unsafe {
            let (args, after) = strings(stack.add(1).cast());
            let (env, after) = strings(after);
            let mut process = Process {
                args,
                env,
                execfn: None,
                uid: 0,
                euid: 0,
                gid: 0,
                egid: 0,
                secure: false,
            };
            let mut pair: *const [usize; 2] = after.cast();
            loop {
                let [key, value] = pair.read();
                match key {
                    0 => break,
                    // The kernel tells all of them, as numbers of 32 bits.
                    AT_UID => process.uid = value as u32,
                    AT_EUID => process.euid = value as u32,
                    AT_GID => process.gid = value as u32,
                    AT_EGID => process.egid = value as u32,
                    AT_SECURE => process.secure = value != 0,
                    AT_EXECFN => process.execfn = text(value as *const c_char),
                    _ => {}
                }
                pair = pair.add(1);
            }
            process
        }
    }

    /// The user of this process.
    pub fn user(&self) -> User<'_> {
        User {
            uid: self.euid,
            gid: self.egid,
            trust: env::get(&self.env, b"PEXBOOT_TRUST").unwrap_or_default(),
        }
    }
}

/// The strings of an array that a null ends, and where it goes on behind that.
///
/// # Safety
/// `at` is such an array and lives as long as the process.
unsafe fn strings(mut at: *const *const c_char) -> (Vec<&'static [u8]>, *const *const c_char) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut count = 0;
        while !at.add(count).read().is_null() {
            count += 1;
        }
        let mut list = Vec::with_capacity(count);
        while let Some(string) = text(at.read()) {
            list.push(string);
            at = at.add(1);
        }
        (list, at.add(1))
    }
}

/// # Safety
/// `at` is null or a string that lives as long as the process.
unsafe fn text(at: *const c_char) -> Option<&'static [u8]> {
    // SAFETY: the caller's promise.
    (!at.is_null()).then(|| unsafe { CStr::from_ptr(at) }.to_bytes())
}

/// The seal's place in the file; `embed` writes over it.
#[used]
#[unsafe(link_section = ".pexboot.seal")]
static SEAL: [u8; SEAL_SIZE] = Seal::UNSEALED;

/// The seal as it stands in this very file.
pub fn seal() -> [u8; SEAL_SIZE] {
    // A volatile read: the compiler would take the value from the source, where the seal is always empty.
    // SAFETY: a reference is valid for a read.
    core::array::from_fn(|at| {
        SEAL.get(at)
            .map_or(0, |byte| unsafe { (&raw const *byte).read_volatile() })
    })
}

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

/// Writes to stderr, as much as it takes.
pub fn complain(text: &[u8]) {
    // SAFETY: a closed descriptor 2 is harmless here: the write fails and that is all.
    let stderr = unsafe { rustix::stdio::stderr() };
    // There is nobody left to tell.
    let _ = rustix::io::write(stderr, text);
}

/// Writes to stderr where that is a terminal.
pub fn tell(text: &[u8]) {
    // SAFETY: as in `complain`.
    if rustix::termios::isatty(unsafe { rustix::stdio::stderr() }) {
        complain(text);
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    Failure::new(
        Code::Internal,
        &[b"internal error: this is a bug in pexboot"],
    )
    .end()
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
