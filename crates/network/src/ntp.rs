//! A network time client without sockets (RFC 5905): questions to one server at a time, a filter over its answers,
//! and what they mean for the clock.
//!
//! [`Client`] takes events and two clocks, the one that never jumps and the one that is to be put right, and gives
//! actions back. A first good answer sets the clock at once, however far off it is; from then on small errors are
//! slewed by the kernel, and large ones must show themselves several times before the clock is set again.
//! Start reading at [`Client::handle`].

mod client;
mod filter;
mod packet;

use std::time::Duration;

pub use client::{Action, Adjustment, Client, Event};
pub use packet::{Leap, PacketError, Response, SIZE};

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Since any moment that stays the same; never jumps.
    pub steady: Duration,
    /// Nanoseconds since the Unix epoch; what is to be put right.
    pub wall: i64,
}
