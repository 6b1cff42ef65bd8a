//! Sockets: noticing that the other side is gone, and options that have no safe form elsewhere.

use std::io;
use std::mem::size_of_val;
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
