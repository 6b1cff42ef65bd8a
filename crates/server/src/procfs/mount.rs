//! `/proc/self/mounts` with the room on each file system (proc_pid_mounts(5), statvfs(3)).

use api::machine::MountStat;

use super::{Kernel, ProcError};

impl Kernel {
    /// Every mount with its room. Asking a file system may block; call it where that is allowed.
    ///
    /// # Errors
    /// [`ProcError`] when the list cannot be read.
    pub fn mounts(&self) -> Result<Vec<MountStat>, ProcError> {
        let mut mounts = parse(&self.read("proc/self/mounts")?);
        for mount in &mut mounts {
            // A mount that cannot be asked (gone, or out of reach) is still a mount.
            if let Ok(room) = rustix::fs::statvfs(mount.mounted_on.as_str()) {
                mount.size = room.f_blocks * room.f_frsize;
                mount.available = room.f_bavail * room.f_frsize;
            }
        }
        Ok(mounts)
    }
}

fn parse(text: &str) -> Vec<MountStat> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let filesystem = unescape(words.next()?);
            let mounted_on = unescape(words.next()?);
            Some(MountStat { filesystem, mounted_on, ..Default::default() })
        })
        .collect()
}

/// Space, tab, newline and backslash are written as a backslash and three octal digits.
fn unescape(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'\\')
            .then(|| tail.first_chunk::<3>())
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        for (written, meant) in
            [("/a\\040b", "/a b"), ("/t\\134", "/t\\"), ("/x\\9", "/x\\9"), ("\\04", "\\04")]
        {
            assert_eq!(unescape(written), meant);
        }
    }

    #[test]
    fn the_root_has_room() {
        let mounts = Kernel::new("/").mounts().unwrap();
        let root = mounts.iter().rfind(|mount| mount.mounted_on == "/").unwrap();
        assert!(root.size > 0, "{root:?}");
    }
}
