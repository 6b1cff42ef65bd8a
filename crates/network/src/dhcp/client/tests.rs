//! The client against a server made of tables.

use proptest::prelude::*;

use super::*;

const HARDWARE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn client() -> Client {
    let settings =
        Settings { hardware: HARDWARE, identifier: Identifier::Hardware, ask_hostname: true };
    Client::new(settings, 42)
}

/// A server's answer to a message of the client: kind, address, server, and life in seconds.
fn answer(to: &[u8], kind: u8, address: Ipv4Addr, server: Ipv4Addr, life: u32) -> Vec<u8> {
    let mut bytes = to[..236].to_vec();
    bytes[0] = 2;
    bytes[16..20].copy_from_slice(&address.octets());
    bytes.extend([99, 130, 83, 99, 53, 1, kind, 54, 4]);
    bytes.extend(server.octets());
    bytes.extend([1, 4, 255, 255, 255, 0, 51, 4]);
    bytes.extend(life.to_be_bytes());
    bytes.push(255);
    bytes
}

/// The values of an option of a client's message.
fn option(message: &[u8], code: u8) -> Option<&[u8]> {
    let mut rest = message.get(240..)?;
    while let [found, length, after @ ..] = rest {
        let (value, after) = after.split_at(usize::from(*length));
        if *found == code {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// The messages among actions, with the kind of each.
fn said(actions: &[Action]) -> Vec<(u8, Vec<u8>)> {
    let messages = actions.iter().filter_map(|action| match action {
        Action::Broadcast { message, .. } | Action::Unicast { message, .. } => Some(message),
        _ => None,
    });
    messages.map(|message| (option(message, 53).unwrap()[0], message.clone())).collect()
}

/// The only message among actions, of a kind: 1 DISCOVER, 3 REQUEST, 4 DECLINE.
fn only(actions: &[Action], kind: u8) -> Vec<u8> {
    let mut messages = said(actions);
    assert_eq!(messages.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [kind], "{actions:?}");
    messages.remove(0).1
}

/// Gets a lease at `now`, for a link that just came up; it begins to hold at the time given back.
fn bound(client: &mut Client, life: u32, now: Duration) -> Duration {
    let discover = only(&client.handle(Event::LinkUp, now), 1);
    let offer = answer(&discover, 2, ADDRESS, SERVER, life);
    let request = only(&client.handle(Event::Message(&offer), now), 3);
    let ack = answer(&request, 5, ADDRESS, SERVER, life);
    assert!(said(&client.handle(Event::Message(&ack), now)).is_empty());
    loop {
        let at = client.wake_at().unwrap();
        let actions = client.handle(Event::Timer, at);
        if let Some(Action::Use(lease)) = actions.first() {
            assert_eq!((lease.address, lease.bits), (ADDRESS, 24));
            return at;
        }
        assert!(matches!(actions[..], [Action::Arp(_)]), "{actions:?}");
    }
}

#[test]
fn an_address_is_asked_for_probed_and_used() {
    let mut client = client();
    assert_eq!((client.wake_at(), client.listening()), (None, Listening::Nothing));
    let actions = client.handle(Event::LinkUp, secs(5));
    assert!(matches!(actions[0], Action::Broadcast { from: Ipv4Addr::UNSPECIFIED, .. }));
    let discover = only(&actions, 1);
    assert_eq!(client.listening(), Listening::Frames);
    assert_eq!(option(&discover, 61), Some(&[1, 2, 0, 0, 0, 0, 1][..]));
    assert_eq!(option(&discover, 50), None);
    let parameters = option(&discover, 55).unwrap();
    assert_eq!(parameters.first(), Some(&121));
    assert!(parameters.contains(&12));

    let offer = answer(&discover, 2, ADDRESS, SERVER, 3600);
    let actions = client.handle(Event::Message(&offer), secs(6));
    let request = only(&actions, 3);
    assert_eq!(option(&request, 50), Some(&ADDRESS.octets()[..]));
    assert_eq!(option(&request, 54), Some(&SERVER.octets()[..]));
    assert_eq!(request[8..10], [0, 1], "a second has passed");
    assert!(actions.iter().any(|action| matches!(action, Action::Arp(_))), "{actions:?}");
    assert_eq!(client.listening(), Listening::FramesAndArp);

    let ack = answer(&request, 5, ADDRESS, SERVER, 3600);
    assert!(client.handle(Event::Message(&ack), secs(6)).is_empty());
    assert_eq!(client.lease(), None, "nobody has had time to say that the address is taken");
    let begin = secs(6);
    let half = Duration::from_millis(50);
    let actions = client.handle(Event::Timer, begin + half);
    assert!(matches!(actions[..], [Action::Arp(_)]));
    let actions = client.handle(Event::Timer, begin + 2 * half);
    assert!(matches!(&actions[..], [Action::Use(lease)] if lease.address == ADDRESS));
    assert_eq!((client.wake_at(), client.listening()), (Some(secs(1806)), Listening::Nothing));
}

#[test]
fn silence_is_answered_by_asking_again_ever_less_often() {
    let mut client = client();
    only(&client.handle(Event::LinkUp, secs(0)), 1);
    let mut pauses = Vec::new();
    let mut now = secs(0);
    for _ in 0..9 {
        let next = client.wake_at().unwrap();
        pauses.push((next - now).as_secs_f64());
        now = next;
        only(&client.handle(Event::Timer, now), 1);
    }
    for (pause, middle) in pauses.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0]) {
        assert!((middle * 0.87..middle * 1.13).contains(pause), "{pauses:?}");
    }
    // A server that offers and then says nothing is given up.
    let discover = only(&client.handle(Event::Timer, client.wake_at().unwrap()), 1);
    let offer = answer(&discover, 2, ADDRESS, SERVER, 3600);
    only(&client.handle(Event::Message(&offer), now), 3);
    let mut kinds = Vec::new();
    while kinds.last() != Some(&1) {
        now = client.wake_at().unwrap();
        kinds.extend(said(&client.handle(Event::Timer, now)).iter().map(|(kind, _)| *kind));
    }
    assert_eq!(kinds, [3, 3, 3, 1]);
}

#[test]
fn a_lease_is_renewed_then_rebound_then_lost() {
    let mut client = client();
    bound(&mut client, 3600, secs(0));
    let renew = client.wake_at().unwrap();
    assert_eq!(renew, secs(1800));
    let actions = client.handle(Event::Timer, renew);
    assert!(matches!(actions[..], [Action::Unicast { to: SERVER, .. }]));
    let request = only(&actions, 3);
    assert_eq!(request[12..16], ADDRESS.octets());
    assert_eq!((option(&request, 50), option(&request, 54)), (None, None));
    assert_eq!(client.listening(), Listening::Port(ADDRESS));
    // An answer moves everything on, and is no news.
    let ack = answer(&request, 5, ADDRESS, SERVER, 3600);
    assert!(client.handle(Event::Message(&ack), renew).is_empty());
    assert_eq!(client.wake_at(), Some(secs(3600)));

    // No answers: half of what is left until T2, then everybody, then the end.
    let mut now = secs(3600);
    let (mut to_server, mut to_all) = (0, 0);
    loop {
        let actions = client.handle(Event::Timer, now);
        match &actions[..] {
            [Action::Unicast { .. }] => to_server += 1,
            [Action::Broadcast { from: ADDRESS, .. }] => to_all += 1,
            [Action::Lose { .. }, Action::Broadcast { message, .. }] => {
                assert_eq!(option(message, 53), Some(&[1][..]));
                assert_eq!(
                    option(message, 50),
                    Some(&ADDRESS.octets()[..]),
                    "it asks for the same"
                );
                break;
            }
            other => panic!("{other:?}"),
        }
        now = client.wake_at().unwrap();
    }
    assert_eq!(now, secs(1800 + 3600));
    assert!((3..9).contains(&to_server) && (2..9).contains(&to_all), "{to_server} {to_all}");
    assert_eq!(client.lease(), None);
}

#[test]
fn news_in_a_renewal_are_told() {
    let mut client = client();
    bound(&mut client, 60, secs(0));
    let request = only(&client.handle(Event::Timer, secs(30)), 3);
    let mut ack = answer(&request, 5, ADDRESS, SERVER, 60);
    ack.pop();
    ack.extend([26, 2, 5, 120, 255]);
    let actions = client.handle(Event::Message(&ack), secs(30));
    assert!(matches!(&actions[..], [Action::Use(lease)] if lease.mtu == Some(1400)));
}

#[test]
fn a_refusal_ends_the_lease_and_refusals_in_a_row_slow_the_client_down() {
    let mut client = client();
    bound(&mut client, 3600, secs(0));
    let mut now = secs(1800);
    let mut message = only(&client.handle(Event::Timer, now), 3);
    let nak = answer(&message, 6, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 0, 0, 2), 0);
    assert!(client.handle(Event::Message(&nak), now).is_empty(), "another server has no say");
    let mut pauses = Vec::new();
    for round in 0..4 {
        let nak = answer(&message, 6, Ipv4Addr::UNSPECIFIED, SERVER, 0);
        let actions = client.handle(Event::Message(&nak), now);
        assert_eq!(matches!(actions.first(), Some(Action::Lose { .. })), round == 0);
        let mut messages = said(&actions);
        let begin = now;
        while messages.is_empty() {
            now = client.wake_at().unwrap();
            messages = said(&client.handle(Event::Timer, now));
        }
        pauses.push((now - begin).as_secs());
        assert_eq!(option(&messages[0].1, 50), None, "what was refused is not asked for");
        let offer = answer(&messages[0].1, 2, ADDRESS, SERVER, 3600);
        message = only(&client.handle(Event::Message(&offer), now), 3);
    }
    assert_eq!(pauses, [0, 2, 4, 8]);
}

#[test]
fn a_link_that_flaps_keeps_its_lease_until_a_server_says_otherwise() {
    let mut client = client();
    bound(&mut client, 3600, secs(0));
    for round in 1..20 {
        assert!(client.handle(Event::LinkDown, secs(round)).is_empty());
        assert!(client.lease().is_some());
        assert_eq!(client.wake_at(), Some(secs(3600)));
        let request = only(&client.handle(Event::LinkUp, secs(round)), 3);
        assert_eq!(option(&request, 50), Some(&ADDRESS.octets()[..]));
        assert_eq!((option(&request, 54), &request[12..16]), (None, &[0; 4][..]));
    }
    // The same network confirms.
    let request = only(&client.handle(Event::Timer, client.wake_at().unwrap() + secs(1)), 3);
    let ack = answer(&request, 5, ADDRESS, SERVER, 3600);
    let now = secs(22);
    assert!(client.handle(Event::Message(&ack), now).is_empty());
    assert!(client.handle(Event::Timer, now + secs(1)).is_empty(), "it is no news");
    assert_eq!(client.listening(), Listening::Nothing);

    // Another network with a silent server: a new lease is looked for while the old one holds.
    client.handle(Event::LinkDown, secs(30));
    client.handle(Event::LinkUp, secs(31));
    let mut messages = Vec::new();
    while messages.last().map(|(kind, _)| *kind) != Some(1) {
        messages.extend(said(&client.handle(Event::Timer, client.wake_at().unwrap())));
    }
    assert!(client.lease().is_some());
    let (new, now) = (Ipv4Addr::new(10, 0, 0, 77), secs(60));
    let offer = answer(&messages.last().unwrap().1, 2, new, SERVER, 3600);
    let request = only(&client.handle(Event::Message(&offer), now), 3);
    let ack = answer(&request, 5, new, SERVER, 3600);
    client.handle(Event::Message(&ack), now);
    while client.listening() != Listening::Nothing {
        client.handle(Event::Timer, client.wake_at().unwrap());
    }
    assert_eq!(client.lease().map(|lease| lease.address), Some(new));

    // While the link is down, the time of the lease runs out.
    client.handle(Event::LinkDown, secs(100));
    let actions = client.handle(Event::Timer, client.wake_at().unwrap());
    assert!(matches!(actions[..], [Action::Lose { .. }]));
    assert_eq!(client.wake_at(), None);
}

#[test]
fn an_address_that_another_machine_has_is_declined() {
    let mut client = client();
    let discover = only(&client.handle(Event::LinkUp, secs(0)), 1);
    let offer = answer(&discover, 2, ADDRESS, SERVER, 3600);
    let request = only(&client.handle(Event::Message(&offer), secs(0)), 3);
    let ack = answer(&request, 5, ADDRESS, SERVER, 3600);
    client.handle(Event::Message(&ack), secs(0));
    assert!(client.handle(Event::Arp(&frame::probe(HARDWARE, ADDRESS)), secs(0)).is_empty());
    let decline = only(&client.handle(Event::Arp(&frame::probe(OTHER, ADDRESS)), secs(0)), 4);
    assert_eq!(option(&decline, 50), Some(&ADDRESS.octets()[..]));
    assert_eq!(option(&decline, 54), Some(&SERVER.octets()[..]));
    assert_eq!((client.lease(), client.wake_at()), (None, Some(secs(10))));
    let discover = only(&client.handle(Event::Timer, secs(10)), 1);
    assert_eq!(option(&discover, 50), None);
}

#[test]
fn a_name_of_the_nodes_own_is_brought_to_the_server() {
    let mut client = client();
    let at = bound(&mut client, 3600, secs(0));
    let request = only(&client.handle(Event::Hostname(Some("cp-1")), at), 3);
    assert_eq!(option(&request, 12), Some(&b"cp-1"[..]));
    assert!(!option(&request, 55).unwrap().contains(&12));
    let mut ack = answer(&request, 5, ADDRESS, SERVER, 3600);
    ack.pop();
    ack.extend(b"\x0c\x04cp-1\xff");
    assert!(client.handle(Event::Message(&ack), at).is_empty(), "an echo is no news");
    assert!(client.handle(Event::Hostname(Some("cp-1")), at).is_empty());
}

#[test]
fn what_is_not_for_this_client_is_not_heard() {
    let mut client = client();
    let discover = only(&client.handle(Event::LinkUp, secs(0)), 1);
    let good = answer(&discover, 2, ADDRESS, SERVER, 3600);
    let change = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let bad = [
        change(4, !good[4]),                                    // another exchange
        change(33, 9),                                          // another machine
        change(0, 1),                                           // a client's
        change(242, 5),                                         // an ACK to nothing
        change(242, 6),                                         // a NAK to nothing
        change(16, 127),                                        // an address of the machine itself
        change(16, 240),                                        // an address of nobody
        answer(&discover, 2, ADDRESS, Ipv4Addr::BROADCAST, 60), // a server that is none
        answer(&discover, 2, ADDRESS, SERVER, 1),               // no time to use it
        good[..240].to_vec(),
    ];
    for bytes in bad {
        assert!(client.handle(Event::Message(&bytes), secs(0)).is_empty());
    }
    let request = only(&client.handle(Event::Message(&good), secs(0)), 3);
    for (address, server) in
        [(Ipv4Addr::new(10, 0, 0, 66), SERVER), (ADDRESS, Ipv4Addr::new(10, 0, 0, 66))]
    {
        let other = answer(&request, 5, address, server, 3600);
        assert!(client.handle(Event::Message(&other), secs(0)).is_empty());
        assert_eq!(client.listening(), Listening::FramesAndArp);
        assert!(!matches!(client.state, State::Probing { .. }));
    }
}

/// Something that happens, as numbers.
type Step = (u8, u64, u8, u32);

proptest! {
    /// Whatever happens in whatever order: the client never asks to be woken in the past, keeps no lease past its
    /// end, and tells of every lease that it takes and loses.
    #[test]
    fn time_goes_forward_and_leases_are_accounted_for(
        steps in proptest::collection::vec((0_u8..8, 0_u64..100_000, 0_u8..12, 0_u32..10_000), 1..200),
    ) {
        let steps: Vec<Step> = steps;
        let mut client = client();
        let mut now = secs(0);
        let mut last = Vec::new();
        let mut used = false;
        for (what, pause, detail, life) in steps {
            now += Duration::from_millis(pause);
            if let Some(wake) = client.wake_at() {
                // As the one that runs it does, which may be late.
                now = now.min(wake + secs(u64::from(detail)));
            }
            let address = Ipv4Addr::new(10, 0, 0, detail);
            let server = Ipv4Addr::new(10, 0, 0, 1 + detail % 2);
            let reply = (last.len() > 236)
                .then(|| answer(&last, [2, 5, 6][usize::from(detail % 3)], address, server, life));
            let arp = frame::probe(OTHER, address);
            let actions = match (what, &reply) {
                (0, _) => client.handle(Event::LinkUp, now),
                (1, _) if detail == 0 => client.handle(Event::LinkDown, now),
                (2, _) if detail < 4 => client.handle(Event::Arp(&arp), now),
                (3, _) => client.handle(Event::Hostname((detail < 6).then_some("a")), now),
                (4..=6, Some(bytes)) => client.handle(Event::Message(bytes), now),
                _ => client.handle(Event::Timer, now),
            };
            for action in &actions {
                match action {
                    Action::Use(_) => used = true,
                    Action::Lose { .. } => {
                        prop_assert!(used, "lost what was never had");
                        used = false;
                    }
                    Action::Broadcast { message, .. } | Action::Unicast { message, .. } => {
                        last.clone_from(message);
                    }
                    Action::Arp(_) => {}
                }
            }
            prop_assert_eq!(used, client.lease().is_some());
            if let Some(wake) = client.wake_at() {
                prop_assert!(wake > now, "{:?} is not after {:?} in {:?}", wake, now, client);
            } else {
                prop_assert!(client.held.as_ref().is_none_or(|held| held.end().is_none()));
            }
        }
    }

    #[test]
    fn no_bytes_confuse_the_client(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut client = client();
        client.handle(Event::LinkUp, secs(0));
        prop_assert!(client.handle(Event::Message(&bytes), secs(0)).is_empty());
        prop_assert!(client.handle(Event::Arp(&bytes), secs(0)).is_empty());
        let _ = frame::message(&bytes, true);
    }
}
