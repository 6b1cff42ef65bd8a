//! IPv6 routers and what they advertise (RFC 4861, RFC 8106).
//!
//! The kernel does what it does well: it asks for routers when a link comes up, makes addresses of prefixes, and
//! keeps default routes, on-link prefixes, hop limit and MTU, each for its time. It has no use for name servers and
//! search domains; those are read here, from the same advertisements. [`Listener`] asks for one only when none came
//! by itself, as after a restart of the program on a link that has long been up.

mod advertisement;

use std::net::Ipv6Addr;
use std::time::Duration;

pub use advertisement::{Advertisement, AdvertisementError};

/// The wait for an advertisement that the kernel asked for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often, and with which pause, routers are asked (RFC 4861 chapter 10).
const SOLICITATIONS: u32 = 3;
const SOLICITATION_PAUSE: Duration = Duration::from_secs(4);
/// More servers or domains of one link than this are not kept (RFC 8106 chapter 5.3.1 asks for three at least).
const MOST: usize = 8;

/// What happens to a listener.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The link has a carrier.
    LinkUp,
    /// The link has none.
    LinkDown,
    /// An ICMPv6 message came.
    Message {
        /// Who sent it.
        from: Ipv6Addr,
        /// How many hops it had left.
        hops: u8,
        /// The message, with its type at the front; its checksum was right.
        bytes: &'a [u8],
    },
    /// The time of [`Listener::wake_at`] has come.
    Timer,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this ICMPv6 message to all routers of the link, ff02::2, with 255 hops.
    Solicit(Vec<u8>),
    /// From now on these hold, and no others.
    Resolvers {
        /// Name servers, the earliest first.
        servers: Vec<Ipv6Addr>,
        /// Domains to search.
        domains: Vec<String>,
    },
}

/// Something that holds for a time.
#[derive(Clone, Debug)]
struct Kept<T> {
    what: T,
    /// `None` for ever.
    until: Option<Duration>,
}

/// Listens to the advertisements of one link.
#[derive(Debug, Default)]
pub struct Listener {
    up: bool,
    asked: u32,
    ask_at: Option<Duration>,
    servers: Vec<Kept<Ipv6Addr>>,
    domains: Vec<Kept<String>>,
}

impl Listener {
    /// When [`Event::Timer`] is due, if nothing else happens; `None` never.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let servers = self.servers.iter().filter_map(|kept| kept.until);
        let domains = self.domains.iter().filter_map(|kept| kept.until);
        servers.chain(domains).chain(self.ask_at).min()
    }

    /// Takes an event; says what to do.
    pub fn handle(&mut self, event: Event<'_>, now: Duration) -> Vec<Action> {
        let before = self.resolvers();
        match event {
            Event::LinkUp if !self.up => {
                self.up = true;
                self.asked = 0;
                self.ask_at = Some(now + PATIENCE);
            }
            Event::LinkDown => {
                self.up = false;
                self.ask_at = None;
            }
            Event::Message { from, hops, bytes } => self.message(from, hops, bytes, now),
            Event::LinkUp | Event::Timer => {}
        }
        self.servers.retain(|kept| kept.until.is_none_or(|until| until > now));
        self.domains.retain(|kept| kept.until.is_none_or(|until| until > now));
        let mut actions = Vec::new();
        if self.ask_at.is_some_and(|at| at <= now) {
            self.asked += 1;
            self.ask_at = (self.asked < SOLICITATIONS).then_some(now + SOLICITATION_PAUSE);
            actions.push(Action::Solicit(advertisement::solicitation()));
        }
        let after = self.resolvers();
        if before != after {
            let (servers, domains) = after;
            actions.push(Action::Resolvers { servers, domains });
        }
        actions
    }

    fn message(&mut self, from: Ipv6Addr, hops: u8, bytes: &[u8], now: Duration) {
        // A router is a neighbour, and what comes from farther away has lost hops (RFC 4861 chapter 6.1.2).
        if hops != 255 || !from.is_unicast_link_local() {
            return;
        }
        let Ok(advertisement) = Advertisement::parse(bytes) else { return };
        self.ask_at = None;
        for (server, life) in advertisement.servers {
            keep(&mut self.servers, server, life, now);
        }
        for (domain, life) in advertisement.domains {
            keep(&mut self.domains, domain, life, now);
        }
    }

    fn resolvers(&self) -> (Vec<Ipv6Addr>, Vec<String>) {
        let servers = self.servers.iter().map(|kept| kept.what).collect();
        (servers, self.domains.iter().map(|kept| kept.what.clone()).collect())
    }
}

/// Keeps something for a time, or drops it when it has none; what is known keeps its place.
fn keep<T: PartialEq>(list: &mut Vec<Kept<T>>, what: T, life: Option<Duration>, now: Duration) {
    let until = life.map(|life| now + life);
    if life == Some(Duration::ZERO) {
        list.retain(|kept| kept.what != what);
    } else if let Some(kept) = list.iter_mut().find(|kept| kept.what == what) {
        kept.until = until;
    } else if list.len() < MOST {
        list.push(Kept { what, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// An advertisement of one name server for a number of seconds.
    fn advertisement(server: &str, life: u32) -> Vec<u8> {
        let mut bytes = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 25, 3, 0, 0];
        bytes.extend(life.to_be_bytes());
        bytes.extend(server.parse::<Ipv6Addr>().unwrap().octets());
        bytes
    }

    fn hear(listener: &mut Listener, bytes: &[u8], now: Duration) -> Vec<Action> {
        let from = "fe80::1".parse().unwrap();
        listener.handle(Event::Message { from, hops: 255, bytes }, now)
    }

    fn servers(servers: &[&str]) -> Vec<Action> {
        let servers = servers.iter().map(|text| text.parse().unwrap()).collect();
        vec![Action::Resolvers { servers, domains: Vec::new() }]
    }

    #[test]
    fn routers_are_asked_only_when_none_speaks() {
        let mut listener = Listener::default();
        assert_eq!(listener.wake_at(), None);
        assert!(listener.handle(Event::LinkUp, secs(0)).is_empty());
        let mut asked = Vec::new();
        while let Some(at) = listener.wake_at() {
            let actions = listener.handle(Event::Timer, at);
            assert!(matches!(actions[..], [Action::Solicit(_)]));
            asked.push(at.as_secs());
        }
        assert_eq!(asked, [1, 5, 9]);
        let mut listener = Listener::default();
        listener.handle(Event::LinkUp, secs(0));
        assert_eq!(
            hear(&mut listener, &advertisement("fd00::53", 600), secs(0)),
            servers(&["fd00::53"])
        );
        assert_eq!(listener.wake_at(), Some(secs(600)));
    }

    #[test]
    fn servers_hold_for_their_time() {
        let mut listener = Listener::default();
        hear(&mut listener, &advertisement("fd00::1", 600), secs(0));
        let both = hear(&mut listener, &advertisement("fd00::2", 900), secs(100));
        assert_eq!(both, servers(&["fd00::1", "fd00::2"]));
        assert!(hear(&mut listener, &advertisement("fd00::1", 600), secs(200)).is_empty());
        assert_eq!(listener.wake_at(), Some(secs(800)));
        assert_eq!(listener.handle(Event::Timer, secs(800)), servers(&["fd00::2"]));
        assert_eq!(hear(&mut listener, &advertisement("fd00::2", 0), secs(900)), servers(&[]));
        hear(&mut listener, &advertisement("fd00::3", u32::MAX), secs(900));
        assert_eq!(listener.wake_at(), None);
        // A link that goes down keeps what it knows for its time.
        assert!(listener.handle(Event::LinkDown, secs(901)).is_empty());
        for more in 0..20 {
            hear(&mut listener, &advertisement(&format!("fd00::1:{more}"), 600), secs(902));
        }
        assert_eq!(listener.servers.len(), MOST);
    }

    #[test]
    fn strangers_are_not_heard() {
        let mut listener = Listener::default();
        let bytes = advertisement("fd00::1", 600);
        let cases = [
            ("fe80::1", 254, &bytes[..]),
            ("2001:db8::1", 255, &bytes),
            ("fe80::1", 255, &bytes[..39]),
        ];
        for (from, hops, bytes) in cases {
            let event = Event::Message { from: from.parse().unwrap(), hops, bytes };
            assert!(listener.handle(event, secs(0)).is_empty(), "{from} {hops}");
        }
        // An address that needs a zone, or that no server can have.
        for server in ["fe80::2", "::1", "ff02::1", "::"] {
            assert!(
                hear(&mut listener, &advertisement(server, 600), secs(0)).is_empty(),
                "{server}"
            );
        }
    }
}
