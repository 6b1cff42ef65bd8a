//! A time server that says anything at all: the client never panics, never asks to be woken in the past, and changes the
//! clock only after it asked.
//!
//! The input is a list of packets of 49 bytes: a pause, and the packet. Each is an answer to the last question.

#![no_main]

use std::time::Duration;

use network::ntp::{Action, Client, Clock, Event, SIZE};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut client = Client::new(1);
    let mut now = Clock { steady: Duration::from_secs(1), wall: 1_800_000_000_000_000_000 };
    let mut nonce: Option<[u8; 8]> = None;
    for packet in input.chunks(SIZE + 1) {
        let (pause, packet) = packet.split_first().unwrap_or((&0, &[]));
        now.steady += Duration::from_millis(u64::from(*pause).pow(2));
        let mut bytes = packet.to_vec();
        if let (Some(place), Some(nonce)) = (bytes.get_mut(24..32), nonce) {
            place.copy_from_slice(&nonce);
        }
        let event = match pause % 8 {
            0 => Event::Servers(packet.len() % 3),
            1 => Event::Timer,
            2 => Event::Reading { server: 0, wall: i64::MAX },
            _ => Event::Packet { server: 0, bytes: &bytes },
        };
        let actions = client.handle(event, now);
        for action in actions {
            match action {
                // The question that an answer gives back.
                Action::Send { packet, .. } => nonce = packet.last_chunk().copied(),
                Action::Adjust(adjustment) => {
                    assert!(nonce.is_some());
                    now.wall = now.wall.saturating_add(adjustment.offset);
                }
                Action::Resolve => {}
            }
        }
        assert!(client.wake_at().is_none_or(|wake| wake > now.steady));
    }
});
