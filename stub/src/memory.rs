//! Memory: the heap, and the functions that the compiler expects of a C library.
//!
//! The process lives for a fraction of a millisecond, so the heap only grows: a piece of the program's own zeroed data
//! to begin with (no system call for a warm start), mappings when that is used up. Nothing is given back, which makes
//! every drop vanish from the code; what was taken last can grow in place, which is what a growing vector needs.

#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::ptr::{self, null_mut};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::failure::Code;
use crate::{stdio, system};

/// Bytes to begin with; pages that are not touched cost nothing.
const FIRST: usize = 256 << 10;
/// Bytes of a mapping.
const CHUNK: usize = 1 << 20;
/// From here on, bytes get a mapping of their own.
const LARGE: usize = CHUNK / 4;

#[repr(C, align(16))]
struct First(UnsafeCell<[u8; FIRST]>);

// SAFETY: the process has one thread.
unsafe impl Sync for First {}

static FIRST_CHUNK: First = First(UnsafeCell::new([0; FIRST]));

struct Heap(UnsafeCell<Option<Chunk>>);

// SAFETY: the process has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(None));

/// What is left of the piece in use.
struct Chunk {
    next: *mut u8,
    left: usize,
}

impl Chunk {
    /// Takes a piece off; `None` when it does not fit.
    fn take(&mut self, layout: Layout) -> Option<*mut u8> {
        let skip = self.next.align_offset(layout.align());
        let size = skip.checked_add(layout.size())?;
        self.left = self.left.checked_sub(size)?;
        let start = self.next.wrapping_add(skip);
        self.next = start.wrapping_add(layout.size());
        Some(start)
    }
}

fn map(size: usize) -> *mut u8 {
    // SAFETY: a new mapping at a place of the kernel's choice touches nothing that is there.
    let mapped = unsafe {
        mmap_anonymous(
            null_mut(),
            size,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )
    };
    match mapped {
        Ok(start) => start.cast(),
        // Whoever asked for memory cannot say so without any.
        Err(_) => {
            stdio::complain(
                b"pexboot: out of memory; raise the limit (`ulimit -v`) or free some\n",
            );
            system::exit(Code::Io as u8)
        }
    }
}

// SAFETY: pieces are taken off a chunk one behind the other, so no two overlap, and each is aligned and as large as asked;
// chunks are never given back.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and nothing below calls back into the heap.
        let state = unsafe { &mut *self.0.get() };
        let chunk = state.get_or_insert_with(|| Chunk {
            next: FIRST_CHUNK.0.get().cast(),
            left: FIRST,
        });
        if let Some(piece) = chunk.take(layout) {
            return piece;
        }
        if layout.size() >= LARGE {
            // A mapping begins at a page, and no type asks for more.
            return map(layout.size());
        }
        let next = map(CHUNK);
        *chunk = Chunk { next, left: CHUNK };
        chunk.take(layout).unwrap_or(null_mut())
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: one thread, and nothing below calls back into the heap while this is borrowed.
        if let Some(chunk) = unsafe { &mut *self.0.get() }
            && piece.wrapping_add(layout.size()) == chunk.next
            && let Some(left) = (chunk.left + layout.size()).checked_sub(size)
        {
            chunk.next = piece.wrapping_add(size);
            chunk.left = left;
            return piece;
        }
        // SAFETY: the caller guarantees that `size` with this alignment is a layout, and that `piece` has the old one;
        // a new piece does not overlap the old one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(piece, new, layout.size().min(size));
            }
            new
        }
    }
}

// The functions below are what compiled code calls for copies and comparisons that it does not spell out. Their contracts
// are those of the C standard; that is the safety of each block. Copies are instructions and not loops, since the compiler
// would turn a loop back into a call.

#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    // SAFETY: copies `size` bytes upward; the direction flag is clear by the ABI.
    unsafe {
        core::arch::asm!(
            "rep movsb",
            inout("rcx") size => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
    to
}

#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    // Copying upward is wrong only where the target begins inside the source.
    if (to as usize).wrapping_sub(from as usize) >= size {
        // SAFETY: the same contract.
        return unsafe { memcpy(to, from, size) };
    }
    // SAFETY: copies `size` bytes downward from the last (there is one, or the test above had been true), and clears the
    // direction flag again.
    unsafe {
        core::arch::asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") size => _,
            inout("rdi") to.add(size - 1) => _,
            inout("rsi") from.add(size - 1) => _,
            options(nostack),
        );
    }
    to
}

#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, size: usize) -> *mut u8 {
    // SAFETY: fills `size` bytes; the direction flag is clear by the ABI.
    unsafe {
        core::arch::asm!(
            "rep stosb",
            inout("rcx") size => _,
            inout("rdi") to => _,
            in("al") byte as u8,
            options(nostack, preserves_flags),
        );
    }
    to
}

#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    // SAFETY: copies upward, sixteen bytes at a time, then one.
    unsafe {
        core::arch::asm!(
            "2: subs {n}, {n}, #16",
            "b.lo 3f",
            "ldr {v:q}, [{from}], #16",
            "str {v:q}, [{to}], #16",
            "b 2b",
            "3: adds {n}, {n}, #16",
            "b.eq 5f",
            "4: ldrb {b:w}, [{from}], #1",
            "strb {b:w}, [{to}], #1",
            "subs {n}, {n}, #1",
            "b.ne 4b",
            "5:",
            n = inout(reg) size => _,
            to = inout(reg) to => _,
            from = inout(reg) from => _,
            v = out(vreg) _,
            b = out(reg) _,
            options(nostack),
        );
    }
    to
}

#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    // Copying upward is wrong only where the target begins inside the source.
    if (to as usize).wrapping_sub(from as usize) >= size {
        // SAFETY: the same contract.
        return unsafe { memcpy(to, from, size) };
    }
    // SAFETY: copies `size` bytes downward, the last first (there is one, or the test above had been true).
    unsafe {
        core::arch::asm!(
            "2: ldrb {b:w}, [{from}, #-1]!",
            "strb {b:w}, [{to}, #-1]!",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            n = inout(reg) size => _,
            to = inout(reg) to.add(size) => _,
            from = inout(reg) from.add(size) => _,
            b = out(reg) _,
            options(nostack),
        );
    }
    to
}

#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, size: usize) -> *mut u8 {
    // SAFETY: fills `size` bytes.
    unsafe {
        core::arch::asm!(
            "cbz {n}, 3f",
            "2: strb {b:w}, [{to}], #1",
            "subs {n}, {n}, #1",
            "b.ne 2b",
            "3:",
            n = inout(reg) size => _,
            to = inout(reg) to => _,
            b = in(reg) byte,
            options(nostack),
        );
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, size: usize) -> c_int {
    for i in 0..size {
        // SAFETY: both are `size` bytes long.
        let (x, y) = unsafe { (a.add(i).read(), b.add(i).read()) };
        if x != y {
            return c_int::from(x) - c_int::from(y);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, size: usize) -> c_int {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: a zero byte ends the string.
    while unsafe { text.add(length).read() } != 0 {
        length += 1;
    }
    length
}
