//! rtnetlink: what the kernel's network looks like, and changes of it.
//!
//! What is read comes out as the specs of the resource model; what is written goes in as such.
//! It decides nothing: which link, address or route is wanted is known above.
//! Start reading at [`Netlink`].

mod address;
mod bond;
mod event;
mod link;
mod route;
mod wireguard;
mod write;

use std::io;

use rtnetlink::Handle;
use thiserror::Error;

pub use address::Address;
pub use event::{Change, Events};
pub use link::Link;
pub use route::{Route, RouteTarget};

/// Why the kernel's network cannot be read or changed.
#[derive(Debug, Error)]
pub enum NetlinkError {
    /// No socket.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// Reading was refused.
    #[error("cannot read {what}")]
    Read {
        /// What was read.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        source: rtnetlink::Error,
    },
    /// A change was refused.
    #[error("cannot {action}")]
    Write {
        /// What was to be done to what.
        action: String,
        /// The kernel's answer.
        #[source]
        source: rtnetlink::Error,
    },
    /// The spec asks for something that is not there, or is no such thing.
    #[error("cannot {action}: {reason}")]
    Spec {
        /// What was to be done to what.
        action: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl NetlinkError {
    /// The kernel's error number, if it answered with one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => match source {
                rtnetlink::Error::NetlinkError(message) => {
                    message.code.map(|code| code.get().abs())
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the kernel answered that the way to there is not known to it, as for a gateway before an address of its
    /// network: `ENETUNREACH`, and `EHOSTUNREACH` for IPv6.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.errno(), Some(101 | 113))
    }
}

/// A connection to the kernel of the network namespace in which it was opened. A clone shares it.
#[derive(Clone)]
pub struct Netlink {
    handle: Handle,
}

impl Netlink {
    /// Opens a connection in the network namespace of this thread; its task ends with the last
    /// clone.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn open() -> Result<Self, NetlinkError> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(NetlinkError::Open)?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }
}
