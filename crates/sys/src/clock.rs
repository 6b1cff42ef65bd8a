//! The clock of the machine: what it says, and how it is put right (`clock_adjtime`, `man 2 adjtimex`).

use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;

const NANOSECONDS: i64 = 1_000_000_000;

/// What is known about the second at the end of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    /// Nothing unusual.
    #[default]
    None,
    /// One more.
    Insert,
    /// One less.
    Delete,
}

/// A slow correction by the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slew {
    /// How far the clock is behind, in nanoseconds; the kernel takes half a second at most.
    pub offset: i64,
    /// How slowly: the power of two of the seconds between measurements.
    pub constant: i64,
    /// About the end of the day.
    pub leap: Leap,
    /// How wrong the clock may be at most.
    pub max_error: Duration,
    /// How wrong it likely is.
    pub estimated_error: Duration,
}

/// What the kernel says about its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Discipline {
    /// What is still to be corrected.
    pub offset: Duration,
    /// Whether the clock is ahead by the offset rather than behind.
    pub is_ahead: bool,
    /// How fast the clock runs, 1 for as it was built.
    pub frequency: f64,
    /// How wrong the clock may be at most.
    pub max_error: Duration,
    /// How wrong it likely is.
    pub estimated_error: Duration,
    /// The status bits (`STA_…`).
    pub status: i32,
    /// The time constant.
    pub constant: i64,
    /// The state (`TIME_OK` 0, `TIME_INS` 1, `TIME_DEL` 2, `TIME_OOP` 3, `TIME_WAIT` 4, `TIME_ERROR` 5).
    pub state: i32,
}

fn now(clock: libc::clockid_t) -> io::Result<i64> {
    // SAFETY: a plain structure of numbers, for which zeros are valid.
    let mut time: libc::timespec = unsafe { zeroed() };
    // SAFETY: writes to a structure that outlives the call.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(time.tv_sec.saturating_mul(NANOSECONDS).saturating_add(time.tv_nsec))
}

/// Nanoseconds since the Unix epoch, by the machine's clock.
///
/// # Errors
/// Never on Linux.
pub fn wall() -> io::Result<i64> {
    now(libc::CLOCK_REALTIME)
}

/// The time of a clock that never jumps and goes on while the machine sleeps.
///
/// # Errors
/// Never on Linux.
pub fn steady() -> io::Result<Duration> {
    Ok(Duration::from_nanos(u64::try_from(now(libc::CLOCK_BOOTTIME)?).unwrap_or_default()))
}

/// Nanoseconds since the Unix epoch by a hardware clock (`/dev/ptpN`), as hosts give to their virtual machines.
///
/// # Errors
/// When the file is no such clock or cannot be opened.
pub fn hardware(path: impl AsRef<Path>) -> io::Result<i64> {
    let file = File::open(path)?;
    // The kernel's FD_TO_CLOCKID: the descriptor's complement, and 3 for "of a descriptor".
    now((!file.as_raw_fd() << 3) | 3)
}

fn adjust(request: &mut libc::timex) -> io::Result<i32> {
    // SAFETY: reads from and writes to a structure that outlives the call.
    let state = unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, &raw mut *request) };
    if state < 0 { Err(io::Error::last_os_error()) } else { Ok(state) }
}

fn request() -> libc::timex {
    // SAFETY: a plain structure of numbers, for which zeros are valid: no bit of `modes` asks for a change.
    unsafe { zeroed() }
}

fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Sets the clock forward by so many nanoseconds, or back.
///
/// # Errors
/// When this process may not, or the time is none that a clock can have.
pub fn step(offset: i64) -> io::Result<()> {
    let mut request = request();
    request.modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
    // The part below a second is never negative.
    request.time.tv_sec = offset.div_euclid(NANOSECONDS);
    request.time.tv_usec = offset.rem_euclid(NANOSECONDS);
    adjust(&mut request)?;
    Ok(())
}

/// Lets the kernel correct the clock slowly, and says that it is in order.
///
/// # Errors
/// When this process may not.
pub fn slew(slew: &Slew) -> io::Result<()> {
    let mut request = request();
    request.modes = libc::ADJ_OFFSET
        | libc::ADJ_NANO
        | libc::ADJ_STATUS
        | libc::ADJ_TIMECONST
        | libc::ADJ_MAXERROR
        | libc::ADJ_ESTERROR;
    request.status = libc::STA_PLL
        | match slew.leap {
            Leap::None => 0,
            Leap::Insert => libc::STA_INS,
            Leap::Delete => libc::STA_DEL,
        };
    request.offset = slew.offset;
    request.constant = slew.constant;
    request.maxerror = microseconds(slew.max_error);
    request.esterror = microseconds(slew.estimated_error);
    adjust(&mut request)?;
    Ok(())
}

/// What the kernel says about its clock; changes nothing.
///
/// # Errors
/// Never on Linux.
pub fn discipline() -> io::Result<Discipline> {
    let mut request = request();
    let state = adjust(&mut request)?;
    let nano = request.status & libc::STA_NANO != 0;
    let unit = if nano { 1 } else { 1_000 };
    let error =
        |microseconds: i64| Duration::from_micros(u64::try_from(microseconds).unwrap_or_default());
    // Parts of a million, times 65536.
    #[allow(clippy::cast_precision_loss, reason = "the kernel's numbers have 26 bits")]
    let frequency = 1.0 + request.freq as f64 / 65_536.0 / 1e6;
    Ok(Discipline {
        offset: Duration::from_nanos(request.offset.unsigned_abs().saturating_mul(unit)),
        is_ahead: request.offset < 0,
        frequency,
        max_error: error(request.maxerror),
        estimated_error: error(request.esterror),
        status: request.status,
        constant: request.constant,
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_and_nothing_else_is_one() {
        let first = steady().expect("a clock");
        assert!(steady().expect("a clock") >= first);
        // 2020: the machine that tests run on has a clock.
        assert!(wall().expect("a clock") > 1_577_836_800 * NANOSECONDS);
        let found = discipline().expect("its state");
        assert!((0.99..1.01).contains(&found.frequency), "{found:?}");
        assert!((0..=5).contains(&found.state), "{found:?}");
        assert!(hardware("/dev/null").is_err());
    }
}
