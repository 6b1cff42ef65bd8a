//! Messages between a node and the IPv6 routers of one link (ICMPv6, RFC 4861).

use std::io;
use std::mem::zeroed;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::socket::{check, receive, send_to, set_option};

/// ff02::2: all routers of a link.
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Type 134: router advertisements.
const ADVERTISEMENT: u32 = 134;
/// Option 1 of ICMPv6 sockets: a bit for each type that is kept out (RFC 3542 chapter 3.2).
const ICMP6_FILTER: i32 = 1;
/// What a neighbour's message has when it arrives, since every router on the way takes one away.
const HOPS: i32 = 255;

/// The control message that says how many hops a packet had left.
const HOP_LIMIT: (i32, i32) = (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT);

/// A router's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its length; the kernel has checked its checksum.
    pub length: usize,
    /// Who sent it.
    pub from: Ipv6Addr,
    /// How many hops it had left.
    pub hops: u8,
}

/// Hears router advertisements of one link and sends solicitations; never blocks.
#[derive(Debug)]
pub struct RouterSocket {
    fd: OwnedFd,
    index: u32,
}

impl AsFd for RouterSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl RouterSocket {
    /// Opens a socket for the link with this index and name.
    ///
    /// # Errors
    /// When the kernel has no IPv6, the link does not exist, or this process has not the right.
    pub fn open(index: u32, name: &str) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: makes a new descriptor that nothing else owns.
        let fd = unsafe {
            OwnedFd::from_raw_fd(check(libc::socket(libc::AF_INET6, kind, libc::IPPROTO_ICMPV6))?)
        };
        let socket = Self { fd, index };
        let mut blocked = [u32::MAX; 8];
        if let Some(word) = blocked.get_mut(ADVERTISEMENT as usize / 32) {
            *word &= !(1 << (ADVERTISEMENT % 32));
        }
        set_option(&socket.fd, libc::IPPROTO_ICMPV6, ICMP6_FILTER, blocked.as_slice())?;
        set_option(&socket.fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_bytes())?;
        set_option(&socket.fd, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, &[1_i32])?;
        set_option(&socket.fd, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, &[HOPS])?;
        Ok(socket)
    }

    /// Sends a message to all routers of the link; the kernel fills in its checksum.
    ///
    /// # Errors
    /// When the link is down or has no address of its own yet.
    pub fn send_to_routers(&self, message: &[u8]) -> io::Result<()> {
        // SAFETY: a plain structure of numbers, for which zeros are valid.
        let mut address: libc::sockaddr_in6 = unsafe { zeroed() };
        address.sin6_family = u16::try_from(libc::AF_INET6).unwrap_or_default();
        address.sin6_addr.s6_addr = ALL_ROUTERS.octets();
        address.sin6_scope_id = self.index;
        send_to(&self.fd, message, &address)
    }

    /// The next message, into `buffer`; `None` when there is none.
    ///
    /// # Errors
    /// When the link is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        // SAFETY: a plain structure of numbers, for which zeros are valid.
        let mut from: libc::sockaddr_in6 = unsafe { zeroed() };
        let mut hops = 0;
        let length = receive(&self.fd, buffer, Some(&mut from), |control| {
            if let (HOP_LIMIT, Some(found)) = (control.kind, control.number()) {
                hops = u8::try_from(found).unwrap_or(0);
            }
        })?;
        Ok(length.map(|length| Received { length, from: from.sin6_addr.s6_addr.into(), hops }))
    }
}
