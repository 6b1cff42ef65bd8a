//! A DHCP server, and everybody else on the link, that says anything at all to a client: it never panics, never asks to
//! be woken in the past, and never uses an address that no machine can have.
//!
//! The input is a list of events: a byte for the kind, a byte for a pause, and for messages their length and the bytes.
//! Each message is addressed to the client's present exchange, so that it is not dropped at the door.

#![no_main]

use std::time::Duration;

use network::dhcp::{Action, Client, Event, Identifier, Settings, frame};

const HARDWARE: [u8; 6] = [2, 0, 0, 0, 0, 1];

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let settings =
        Settings { hardware: HARDWARE, identifier: Identifier::Hardware, ask_hostname: true };
    let mut client = Client::new(settings, 1);
    let mut now = Duration::from_secs(1);
    let mut exchange = [0; 4];
    let mut rest = input;
    while let [kind, pause, length, after @ ..] = rest {
        let (body, after) = after.split_at(after.len().min(usize::from(*length) * 2));
        rest = after;
        now += Duration::from_millis(u64::from(*pause).pow(2));
        let mut message = body.to_vec();
        if let Some(place) = message.get_mut(4..8) {
            place.copy_from_slice(&exchange);
        }
        if let Some(place) = message.get_mut(28..34) {
            place.copy_from_slice(&HARDWARE);
        }
        let event = match kind % 8 {
            0 => Event::LinkUp,
            1 => Event::LinkDown,
            2 => Event::Timer,
            3 => Event::Arp(body),
            4 => Event::Hostname(Some("cp-1")),
            5 => match frame::message(body, *pause % 2 == 0) {
                Some(message) => Event::Message(message),
                None => Event::Timer,
            },
            _ => Event::Message(&message),
        };
        for action in client.handle(event, now) {
            match action {
                Action::Broadcast { message, .. } | Action::Unicast { message, .. } => {
                    exchange.copy_from_slice(&message[4..8]);
                }
                Action::Use(lease) => {
                    assert!(!lease.address.is_unspecified() && !lease.address.is_loopback());
                    assert!(!lease.address.is_multicast() && !lease.address.is_broadcast());
                    assert!((1..=32).contains(&lease.bits));
                    let _ = network::operator::lease("eth0", &lease, &Default::default());
                }
                Action::Arp(_) | Action::Lose { .. } => {}
            }
        }
        assert!(client.wake_at().is_none_or(|wake| wake > now));
    }
});
