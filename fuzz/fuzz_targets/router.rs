//! Router advertisements from anywhere: the listener never panics, keeps little, and forgets in time.

#![no_main]

use std::time::Duration;

use network::router::{Action, Event, Listener};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut listener = Listener::default();
    let mut now = Duration::from_secs(1);
    for bytes in input.split(|byte| *byte == 0xaa) {
        let (pause, bytes) = bytes.split_first().unwrap_or((&0, &[]));
        now += Duration::from_secs(u64::from(*pause));
        let event = match pause % 16 {
            0 => Event::LinkUp,
            1 => Event::LinkDown,
            2 => Event::Timer,
            _ => Event::Message { from: "fe80::1".parse().unwrap(), hops: 255, bytes },
        };
        for action in listener.handle(event, now) {
            if let Action::Resolvers { servers, domains } = action {
                assert!(servers.len() <= 8 && domains.len() <= 8);
                let _ = network::operator::advertised(&servers, &domains);
            }
        }
        assert!(listener.wake_at().is_none_or(|wake| wake > now));
    }
});
