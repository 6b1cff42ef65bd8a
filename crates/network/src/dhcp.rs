//! A DHCPv4 client without sockets: what is said, what is heard, and what follows (RFC 2131, 2132).
//!
//! [`Client`] takes events and the time and gives actions back; [`message`] is the wire form, [`frame`] the IP and
//! ARP packets around it. Nothing here may trust a server: whatever is out of shape is not heard.
//! Start reading at [`Client::handle`].

mod client;
pub mod frame;
mod lease;
pub mod message;
mod option;

pub use client::{Action, Client, Event, Identifier, Listening, Settings};
pub(crate) use lease::class;
pub use lease::{Lease, Route};
pub(crate) use option::{mask, name, search};
