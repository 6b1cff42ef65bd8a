//! Sockets: noticing that the other side is gone, and options and messages that have no safe form elsewhere.

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::Duration;

use rustix::net::sockopt;

/// Makes a TCP connection end when the other side is silent: after `silence` the kernel asks
/// whether it is still there, and what was sent but not confirmed for `silence` ends it too.
///
/// # Errors
/// When the descriptor is no TCP socket.
pub fn end_when_silent(socket: impl AsFd, silence: Duration) -> io::Result<()> {
    let socket = socket.as_fd();
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, silence)?;
    sockopt::set_tcp_keepintvl(socket, silence)?;
    let milliseconds = u32::try_from(silence.as_millis()).unwrap_or(u32::MAX);
    Ok(sockopt::set_tcp_user_timeout(socket, milliseconds)?)
}

/// Sets an option whose value is one number or structure, or several.
pub(crate) fn set_option<T>(
    socket: impl AsFd,
    level: i32,
    name: i32,
    value: &[T],
) -> io::Result<()> {
    let length = u32::try_from(size_of_val(value)).unwrap_or_default();
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the value is valid for the length given; the kernel copies it.
    let set = unsafe { libc::setsockopt(socket, level, name, value.as_ptr().cast(), length) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The result of a system call, where less than 0 is an error.
pub(crate) fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Sends one message to an address, whose structure is that of the socket's family.
pub(crate) fn send_to<A>(socket: impl AsFd, message: &[u8], to: &A) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: message and address are valid for the lengths given; the kernel only reads them.
    let sent = unsafe {
        let length = u32::try_from(size_of::<A>()).unwrap_or_default();
        let (data, address) = (message.as_ptr().cast(), std::ptr::from_ref(to).cast());
        libc::sendto(socket, data, message.len(), 0, address, length)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What came with a message besides its bytes.
pub(crate) struct Control<'a> {
    /// The level and the type of the control message.
    pub kind: (i32, i32),
    /// Its data.
    pub data: &'a [u8],
}

impl Control<'_> {
    /// The first four bytes of the data, a number as this machine writes it.
    pub(crate) fn number(&self) -> Option<u32> {
        self.data.first_chunk().copied().map(u32::from_ne_bytes)
    }
}

/// The next message of a socket that never blocks, into `buffer`: its length, or `None` when there is none. `from` is
/// where the sender's address goes, of a socket of IPv6; `control` is told what came with it.
pub(crate) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    from: Option<&mut libc::sockaddr_in6>,
    mut control: impl FnMut(Control<'_>),
) -> io::Result<Option<usize>> {
    // Room for one control message, aligned as the kernel writes them.
    let mut room = [0_u64; 8];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a plain structure of numbers and pointers, for which zeros are valid.
    let mut message: libc::msghdr = unsafe { zeroed() };
    if let Some(from) = from {
        message.msg_name = std::ptr::from_mut(from).cast();
        message.msg_namelen = u32::try_from(size_of_val(from)).unwrap_or_default();
    }
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = room.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&room) as _;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the message points to a buffer, a control buffer and, if any, an address, which outlive the call, with
    // their lengths.
    let received = unsafe { libc::recvmsg(socket, &raw mut message, 0) };
    let Ok(length) = usize::try_from(received) else {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    };
    // SAFETY: the macros walk the control buffer within the length that the kernel wrote to the message; each header
    // found is followed by as much data as its own length says, and the buffer outlives the slice.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(found) = header.as_ref() {
            let before = usize::try_from(libc::CMSG_LEN(0)).unwrap_or_default();
            #[allow(clippy::useless_conversion, reason = "the C libraries differ in the type")]
            let whole = usize::try_from(found.cmsg_len).unwrap_or_default();
            let length = whole.saturating_sub(before);
            let data = std::slice::from_raw_parts(libc::CMSG_DATA(header).cast_const(), length);
            control(Control { kind: (found.cmsg_level, found.cmsg_type), data });
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn only_tcp_has_another_side() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let stream = TcpStream::connect(address).expect("a connection");
        end_when_silent(&stream, Duration::from_secs(30)).expect("a TCP connection");
        assert_eq!(sockopt::tcp_user_timeout(&stream).expect("the option"), 30_000);
        assert!(sockopt::socket_keepalive(&stream).expect("the option"));
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        assert!(end_when_silent(&datagrams, Duration::from_secs(30)).is_err());
    }
}
