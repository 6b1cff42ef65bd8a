//! What a client is told, and what it wants done.

use std::net::Ipv4Addr;

use crate::dhcp::Lease;

/// What the client calls itself (RFC 2132 chapter 9.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// Nothing.
    None,
    /// Its hardware address.
    Hardware,
    /// Given bytes, with their type at the front.
    Given(Vec<u8>),
}

/// What the client is told when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The link's hardware address.
    pub hardware: [u8; 6],
    /// What the client calls itself.
    pub identifier: Identifier,
    /// Whether it asks for the node's name.
    pub ask_hostname: bool,
}

/// What happens to the client.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The link has a carrier.
    LinkUp,
    /// The link has none.
    LinkDown,
    /// A DHCP message came to the client's port.
    Message(&'a [u8]),
    /// An ARP packet came.
    Arp(&'a [u8]),
    /// The node's name, when somebody else than this client's server gave it. Not before there is a lease: the first
    /// server asked may have a name for the node.
    Hostname(Option<&'a str>),
    /// The time of [`Client::wake_at`](super::Client::wake_at) has come.
    Timer,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Say a message to all servers of the link.
    Broadcast {
        /// The node's own address, or 0.0.0.0.
        from: Ipv4Addr,
        /// The DHCP message.
        message: Vec<u8>,
    },
    /// Say a message to the server that lent the address.
    Unicast {
        /// The server.
        to: Ipv4Addr,
        /// The DHCP message.
        message: Vec<u8>,
    },
    /// Send an ARP packet to everybody on the link.
    Arp(Vec<u8>),
    /// The node may use this, from now on instead of what it had.
    Use(Lease),
    /// The node may no longer use what it had.
    Lose {
        /// Why, for the log.
        reason: &'static str,
    },
}

/// What the client listens to at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Nothing: nobody has anything to say to it.
    Nothing,
    /// Frames to its port, whatever their address.
    Frames,
    /// Frames to its port, and ARP packets.
    FramesAndArp,
    /// The UDP port of its address.
    Port(Ipv4Addr),
}
