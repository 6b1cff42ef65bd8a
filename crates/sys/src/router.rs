//! Messages between a node and the IPv6 routers of one link (ICMPv6, RFC 4861).

use std::io;
use std::mem::{size_of, zeroed};
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::socket::set_option;

/// ff02::2: all routers of a link.
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Type 134: router advertisements.
const ADVERTISEMENT: u32 = 134;
/// Option 1 of ICMPv6 sockets: a bit for each type that is kept out (RFC 3542 chapter 3.2).
const ICMP6_FILTER: i32 = 1;
/// What a neighbour's message has when it arrives, since every router on the way takes one away.
const HOPS: i32 = 255;

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

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
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
        // SAFETY: message and address are valid for the lengths given.
        let sent = unsafe {
            let length = u32::try_from(size_of::<libc::sockaddr_in6>()).unwrap_or_default();
            let (data, address) = (message.as_ptr().cast(), (&raw const address).cast());
            libc::sendto(self.fd.as_raw_fd(), data, message.len(), 0, address, length)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The next message, into `buffer`; `None` when there is none.
    ///
    /// # Errors
    /// When the link is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        // Room for one control message, aligned as the kernel writes them.
        let mut control = [0_u64; 8];
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: plain structures of numbers and pointers, for which zeros are valid.
        let (mut message, mut from): (libc::msghdr, libc::sockaddr_in6) =
            unsafe { (zeroed(), zeroed()) };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = u32::try_from(size_of::<libc::sockaddr_in6>()).unwrap_or_default();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: the message points to an address, a buffer and a control buffer that outlive the call, with their
        // lengths.
        let received = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, 0) };
        let Ok(length) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        };
        let mut hops = 0;
        // SAFETY: the macros walk the control buffer within the length that the kernel wrote to the message; the data
        // of this type of message is an int, read without regard to alignment.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while let Some(found) = header.as_ref() {
                let kind = (found.cmsg_level, found.cmsg_type);
                if kind == (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) {
                    let data: *const i32 = libc::CMSG_DATA(header).cast();
                    hops = u8::try_from(data.read_unaligned()).unwrap_or(0);
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
        }
        Ok(Some(Received { length, from: from.sin6_addr.s6_addr.into(), hops }))
    }
}
