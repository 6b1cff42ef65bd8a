//! Holds a pod's namespaces: waits, collects the dead, ends when it is told to.
//!
//! It runs in every pod for as long as the pod lives, so it is written without any library: the
//! program is one page of memory.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

const WAIT4: usize = 61;
const EXIT: usize = 60;
const RT_SIGPROCMASK: usize = 14;
const RT_SIGTIMEDWAIT: usize = 128;

const SIGINT: usize = 2;
const SIGTERM: usize = 15;
const SIGCHLD: usize = 17;
/// The kernel numbers the bits of a signal set from signal 1.
static SIGNALS: u64 = 1 << (SIGINT - 1) | 1 << (SIGTERM - 1) | 1 << (SIGCHLD - 1);
const SIG_BLOCK: usize = 0;
const WNOHANG: usize = 1;

global_asm!(".globl _start", "_start: xor ebp, ebp", "and rsp, -16", "call {run}", run = sym run);

extern "C" fn run() -> ! {
    let signals = &raw const SIGNALS as usize;
    // Blocked signals are queued even for the first process of a PID namespace, for which the
    // kernel otherwise drops every signal without a handler.
    syscall(RT_SIGPROCMASK, SIG_BLOCK, signals, 0, size_of::<u64>());
    loop {
        match syscall(RT_SIGTIMEDWAIT, signals, 0, 0, size_of::<u64>()) as usize {
            SIGINT | SIGTERM => loop {
                syscall(EXIT, 0, 0, 0, 0);
            },
            // One SIGCHLD may stand for several children.
            SIGCHLD => while syscall(WAIT4, usize::MAX, 0, WNOHANG, 0) > 0 {},
            _ => {}
        }
    }
}

fn syscall(number: usize, a: usize, b: usize, c: usize, d: usize) -> isize {
    let answer: isize;
    // SAFETY: the only pointer that any caller passes is to the constant above, which lives as
    // long as the program; the kernel keeps every register but rax, rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        syscall(EXIT, 1, 0, 0, 0);
    }
}
