//! Input devices: the buttons that end a machine.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `EV_KEY` and `KEY_POWER` of `linux/input-event-codes.h`.
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
/// Bytes that a bit for each key takes (`KEY_MAX` is 0x2ff).
const KEYS: usize = 96;
/// `struct input_event` of 64-bit systems: two words of time, type, code, value.
const EVENT: usize = 24;

/// `EVIOCGBIT(EV_KEY, KEYS)`: reading (2), the size (96), the letter `E`, and 0x20 with the kind of event.
const EVIOCGBIT_KEYS: u32 = 0x8060_4521;

/// A device with a power button. Readable when something was pressed; never blocks.
#[derive(Debug)]
pub struct PowerButton(File);

impl PowerButton {
    /// Opens the input device `path` (`/dev/input/eventN`); `None` when it has no power button.
    ///
    /// # Errors
    /// When the device cannot be opened or does not say what it has.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let mut keys = [0_u8; KEYS];
        // SAFETY: the request writes at most the number of bytes that is coded in it, which is the size of `keys`.
        let result =
            unsafe { libc::ioctl(file.as_raw_fd(), EVIOCGBIT_KEYS as _, keys.as_mut_ptr()) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(has(&keys, KEY_POWER).then_some(Self(file)))
    }

    /// Whether the button was pressed since the last call; `None` when nothing happened.
    ///
    /// # Errors
    /// When reading fails, for instance because the device is gone.
    pub fn pressed(&mut self) -> io::Result<Option<bool>> {
        let mut buffer = [0; EVENT * 16];
        match self.0.read(&mut buffer) {
            Ok(read) => Ok(Some(is_press(buffer.get(..read).unwrap_or_default()))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for PowerButton {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn has(keys: &[u8], key: u16) -> bool {
    keys.get(usize::from(key / 8)).is_some_and(|byte| byte & (1 << (key % 8)) != 0)
}

/// Whether one of these events is the power button going down.
fn is_press(events: &[u8]) -> bool {
    events.chunks_exact(EVENT).any(|event| {
        let [.., t0, t1, c0, c1, v0, v1, v2, v3] = event else { return false };
        u16::from_ne_bytes([*t0, *t1]) == EV_KEY
            && u16::from_ne_bytes([*c0, *c1]) == KEY_POWER
            && i32::from_ne_bytes([*v0, *v1, *v2, *v3]) == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    #[test]
    fn only_the_power_button_going_down_counts() {
        let down = event(EV_KEY, KEY_POWER, 1);
        let (up, other, sync) = (event(EV_KEY, KEY_POWER, 0), event(EV_KEY, 30, 1), event(0, 0, 0));
        assert!(is_press(&[sync.clone(), down.clone()].concat()));
        assert!(!is_press(&[up, other, sync].concat()));
        assert!(!is_press(down.get(..20).unwrap()), "half an event is none");
        let size = u32::try_from(KEYS).unwrap();
        let request =
            (2 << 30) | (size << 16) | (u32::from(b'E') << 8) | (0x20 + u32::from(EV_KEY));
        assert_eq!(EVIOCGBIT_KEYS, request);
        let mut keys = [0; KEYS];
        keys[14] = 1 << 4;
        assert!(has(&keys, KEY_POWER) && !has(&keys, 115));
    }

    #[test]
    fn what_is_no_input_device_says_so() {
        assert!(PowerButton::open(Path::new("/dev/null")).is_err());
    }
}
