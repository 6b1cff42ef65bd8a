//! The kernel log: reading its records and adding to it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// One record of the kernel log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who wrote it: 0 is the kernel.
    pub facility: u32,
    /// How important it is, 0 (emergency) to 7 (debug).
    pub level: u32,
    /// Its number; they have no gaps unless records were lost.
    pub sequence: u64,
    /// Microseconds since boot.
    pub time: u64,
    /// The text.
    pub message: String,
}

impl Record {
    /// A record as `/dev/kmsg` gives it: `prefix,sequence,time,flags;text`, then lines of
    /// key-value pairs which are left out here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.split_once(';')?;
        let mut head = head.split(',');
        let prefix: u32 = head.next()?.parse().ok()?;
        Some(Self {
            facility: prefix >> 3,
            level: prefix & 7,
            sequence: head.next()?.parse().ok()?,
            time: head.next()?.parse().ok()?,
            message: rest.lines().next().unwrap_or_default().to_owned(),
        })
    }
}

/// The kernel log opened for reading. Readable when there is a new record; never blocks.
#[derive(Debug)]
pub struct KernelLog(File);

impl KernelLog {
    /// Opens it at its oldest record, or with `only_new` after its newest.
    ///
    /// # Errors
    /// When `/dev/kmsg` does not exist (as in most containers) or may not be read.
    pub fn open(only_new: bool) -> io::Result<Self> {
        let mut file =
            File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
        if only_new {
            file.seek(SeekFrom::End(0))?;
        }
        Ok(Self(file))
    }

    /// The next record; `None` when there is no new one yet.
    ///
    /// # Errors
    /// When reading fails. Records that were overwritten before they could be read are skipped.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        let mut buffer = [0; 8192];
        loop {
            match self.0.read(&mut buffer) {
                Ok(read) => {
                    let bytes = buffer.get(..read).unwrap_or_default();
                    if let Some(record) = Record::parse(&String::from_utf8_lossy(bytes)) {
                        return Ok(Some(record));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) if matches!(e.raw_os_error(), Some(libc::EPIPE | libc::EINTR)) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl AsFd for KernelLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Adds lines to the kernel log.
#[derive(Debug)]
pub struct KernelLogWriter(File);

impl KernelLogWriter {
    /// Opens the kernel log for writing.
    ///
    /// # Errors
    /// When `/dev/kmsg` does not exist or may not be written.
    pub fn open() -> io::Result<Self> {
        Ok(Self(File::options().write(true).open("/dev/kmsg")?))
    }

    /// Adds a record of the daemon facility at `level`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn write(&mut self, level: u32, message: &str) -> io::Result<()> {
        let prefix = (3 << 3) | (level & 7);
        self.0.write_all(format!("<{prefix}>{message}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart() {
        let text = "30,1234,5678901,-;systemd: hello; world\n SUBSYSTEM=x\n";
        assert_eq!(
            Record::parse(text),
            Some(Record {
                facility: 3,
                level: 6,
                sequence: 1234,
                time: 5_678_901,
                message: "systemd: hello; world".into()
            })
        );
        assert_eq!(Record::parse("x"), None);
        assert_eq!(Record::parse("1,2;x"), None);
    }
}
