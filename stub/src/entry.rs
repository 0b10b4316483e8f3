//! Process entry: what the kernel hands over, and the seal in the program's own memory.
//!
//! Rust's own `main` is out of the question twice: it needs a libc, and it opens /dev/null over closed descriptors 0-2,
//! which the application would see. So `_start` is ours. All of it is unsafe by nature.

#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::arch::global_asm;
use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;

use pexboot_core::env;
use pexboot_core::paths::decimal;
use pexboot_core::roots::safety::User;
use pexboot_core::seal::{Note, SEAL_SIZE};

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
    /// Whether the boot of this very process has asked for a repair, by its number: one that somebody else has set, or
    /// inherited, asks for nothing.
    pub fn repairs(&self) -> bool {
        env::get(&self.env, b"_PEXBOOT_REPAIR").is_some_and(|asked| {
            let number = rustix::process::getpid().as_raw_nonzero().get();
            u32::try_from(number).is_ok_and(|number| asked == decimal(number))
        })
    }

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
#[unsafe(link_section = ".note.pexboot")]
static NOTE: Note = Note::UNSEALED;

/// The address of the seal in [`NOTE`].
static SEAL_ADDRESS: &[u8; SEAL_SIZE] = &NOTE.seal;

/// Returns the seal as it stands in this very file.
pub fn seal() -> &'static [u8; SEAL_SIZE] {
    // The compiler would take the bytes from the source, where the seal is always empty. It can't know where an address
    // leads that it has to read, so it reads there.
    // SAFETY: a reference is valid for a read, and what is read is one.
    unsafe { (&raw const SEAL_ADDRESS).read_volatile() }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    Failure::new(
        Code::Internal,
        &[b"internal error: this is a bug in pexboot"],
    )
    .end()
}
