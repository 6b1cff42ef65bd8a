//! Randomness from the hardware, so that the first keys of a machine need not wait for any.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

use crate::console::Console;

/// A generator of the TPM, the processor or the hypervisor.
const GENERATOR: &str = "/dev/hwrng";
/// `O_NONBLOCK`: a generator that has nothing yet is not waited for; the kernel asks it itself later.
const NONBLOCK: i32 = 0o4000;

pub(crate) fn seed(console: &mut Console) {
    let read = || {
        let mut seed = [0; 64];
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(NONBLOCK).open(GENERATOR)?.read_exact(&mut seed)?;
        sys::system::add_randomness(&seed)
    };
    // Most machines have none; then the kernel gathers what it needs from its own timing.
    if read().is_ok() {
        console.say("the kernel's randomness is seeded by hardware");
    }
}
