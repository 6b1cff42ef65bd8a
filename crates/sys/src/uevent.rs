//! The kernel's device events: what appeared, changed or went, as it tells on its netlink socket.
//!
//! Format: `lib/kobject_uevent.c` of the kernel; a header `action@devpath`, then `KEY=value` strings, each ended by a
//! zero byte. Must never: take an event from anybody but the kernel.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It appeared.
    Add,
    /// It went.
    Remove,
    /// Something about it is new: a medium, a size, a partition table.
    Change,
    /// It moved in the tree of devices.
    Move,
    /// A driver has taken it.
    Bind,
    /// Its driver let go of it.
    Unbind,
    /// It is usable again.
    Online,
    /// It is not usable for a while.
    Offline,
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "add" => Self::Add,
            "remove" => Self::Remove,
            "change" => Self::Change,
            "move" => Self::Move,
            "bind" => Self::Bind,
            "unbind" => Self::Unbind,
            "online" => Self::Online,
            "offline" => Self::Offline,
            _ => return None,
        })
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uevent {
    /// What happened.
    pub action: Action,
    /// Where the device is in `/sys`, as `/devices/…`.
    pub devpath: String,
    /// Its subsystem, as `block`, `net`, `input`; empty when it has none.
    pub subsystem: String,
    /// Everything the kernel says about it by name: `MODALIAS`, `DEVNAME`, `DEVTYPE`, `MAJOR`, `SEQNUM`, …
    pub properties: BTreeMap<String, String>,
}

impl Uevent {
    /// An event as the kernel sends it; `None` when the bytes are none.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(message).ok()?;
        let mut strings = text.split_terminator('\0');
        let (action, devpath) = strings.next()?.split_once('@')?;
        let properties: BTreeMap<String, String> = strings
            .filter_map(|string| string.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some(Self {
            action: Action::parse(action)?,
            devpath: devpath.to_owned(),
            subsystem: properties.get("SUBSYSTEM").cloned().unwrap_or_default(),
            properties,
        })
    }

    /// What the driver for the device is found by, if it tells.
    #[must_use]
    pub fn modalias(&self) -> Option<&str> {
        self.properties.get("MODALIAS").map(String::as_str)
    }

    /// The device file below `/dev`, if it has one.
    #[must_use]
    pub fn device(&self) -> Option<PathBuf> {
        let name = self.properties.get("DEVNAME")?;
        Some(PathBuf::from("/dev").join(name.trim_start_matches("/dev/")))
    }
}

/// What the socket had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// An event.
    Event(Uevent),
    /// The reader was too slow and events are lost: look at everything again.
    Lost,
}

/// The stream of events, from when it is opened. Readable when there is one; never blocks.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

/// The kernel's own events; the other group belongs to device managers.
const KERNEL: u32 = 1;
/// Coldplug and a disk with many partitions make a burst.
const BUFFER: usize = 4 << 20;
/// No event is larger (`UEVENT_BUFFER_SIZE` and a header).
const LARGEST: usize = 8192;

impl Uevents {
    /// Opens the stream in the network namespace of the calling thread; devices tell in the first one only.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::KOBJECT_UEVENT),
        )?;
        // Without the right to a large buffer, what is lost is told.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER);
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Self(socket))
    }

    /// The next event; `None` when there is no new one yet. Messages that are no events of the kernel are skipped.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next(&self) -> io::Result<Option<Received>> {
        let mut buffer = [0; LARGEST];
        loop {
            let received =
                rustix::net::recvfrom(&self.0, buffer.as_mut_slice(), RecvFlags::empty());
            let (length, sender) = match received {
                Ok((_, length, sender)) => (length, sender),
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::NOBUFS) => return Ok(Some(Received::Lost)),
                Err(error) => return Err(error.into()),
            };
            let kernel = sender
                .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                .is_some_and(|sender| sender.pid() == 0);
            let message = buffer.get(..length).unwrap_or_default();
            if let Some(event) = Uevent::parse(message).filter(|_| kernel) {
                return Ok(Some(Received::Event(event)));
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_apart() {
        let message = b"add@/devices/pci0000:00/0000:00:02.0\0ACTION=add\0\
            DEVPATH=/devices/pci0000:00/0000:00:02.0\0SUBSYSTEM=pci\0\
            MODALIAS=pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00\0SEQNUM=17\0";
        let event = Uevent::parse(message).unwrap();
        assert_eq!((event.action, event.subsystem.as_str()), (Action::Add, "pci"));
        assert_eq!(event.devpath, "/devices/pci0000:00/0000:00:02.0");
        assert!(event.modalias().unwrap().starts_with("pci:v00001AF4"));
        assert_eq!(event.device(), None);
        let disk = Uevent::parse(b"change@/devices/x/block/vda\0SUBSYSTEM=block\0DEVNAME=vda\0");
        assert_eq!(disk.unwrap().device(), Some("/dev/vda".into()));
    }

    #[test]
    fn what_is_no_event_is_none() {
        for message in [
            b"".as_slice(),
            b"libudev\0\xfe\xed\xca\xfe",
            b"add/devices/x\0",
            b"explode@/devices/x\0",
            b"add@\xff\0",
        ] {
            assert_eq!(Uevent::parse(message), None, "{message:?}");
        }
    }

    #[test]
    fn the_stream_is_empty_until_something_happens() {
        let events = Uevents::open().unwrap();
        // On a busy machine there may be events; each must read.
        while events.next().unwrap().is_some() {}
    }
}
