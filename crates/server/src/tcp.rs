//! TCP connections that carry small messages at once and notice when the other end is gone.
//!
//! A follower of logs or events may wait for days with nothing to say; without probes, its end would never be known
//! to be dead. Must never: end a connection that is only quiet.

use std::{io, time::Duration};

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// A quiet connection is probed after this time.
const QUIET: Duration = Duration::from_secs(15);
/// Time between probes.
const PROBE: Duration = Duration::from_secs(5);
/// Probes without an answer that end a connection.
const PROBES: u32 = 3;
/// What was sent and is not acknowledged for so many milliseconds ends a connection too.
const UNACKNOWLEDGED: u32 = 30_000;

/// Sets a connection up.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, QUIET)?;
    sockopt::set_tcp_keepintvl(stream, PROBE)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED)?;
    Ok(())
}
