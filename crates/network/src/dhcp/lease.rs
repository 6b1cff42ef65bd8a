//! What a server lent: the address and the settings that come with it.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::message::{Reply, code};
use super::option;

/// A lease without a life is taken for this long (the contract's).
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// A lease that ends before it could be renewed is none.
const SHORTEST: Duration = Duration::from_secs(10);
/// A lease is renewed this late at the earliest (the contract's).
const FIRST_RENEWAL: Duration = Duration::from_secs(5);
/// Every host must take datagrams of this size (RFC 791); a smaller MTU would be a trap.
const SMALLEST_MTU: u16 = 576;

/// A route that the server gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: Ipv4Addr,
    /// The length of the destination's prefix.
    pub bits: u8,
    /// By way of whom; nobody when the destination is on the link.
    pub gateway: Option<Ipv4Addr>,
}

/// An address and what comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The node's address.
    pub address: Ipv4Addr,
    /// The length of its prefix.
    pub bits: u8,
    /// Who lent it.
    pub server: Ipv4Addr,
    /// For how long; `None` for ever.
    pub lifetime: Option<Duration>,
    /// When to renew it (T1) and when to ask every server (T2), from its start; `None` never.
    pub renewal: Option<(Duration, Duration)>,
    /// Routes, with the default route among them.
    pub routes: Vec<Route>,
    /// The link's MTU.
    pub mtu: Option<u16>,
    /// The node's name.
    pub hostname: Option<String>,
    /// The node's domain.
    pub domain: Option<String>,
    /// Domains to search.
    pub search: Vec<String>,
    /// Name servers.
    pub resolvers: Vec<Ipv4Addr>,
    /// Time servers.
    pub time_servers: Vec<Ipv4Addr>,
}

impl Lease {
    /// The lease that an offer or an ACK speaks of; `None` when no node can use it.
    #[must_use]
    pub fn of(reply: &Reply) -> Option<Self> {
        let value = |code| reply.options.get(&code).map(Vec::as_slice);
        if !option::is_host(reply.address) {
            return None;
        }
        let server = reply.server.filter(|server| option::is_host(*server))?;
        let seconds = |code| value(code).and_then(option::number);
        let lifetime = match seconds(code::LIFETIME) {
            None => Some(LIFETIME),
            Some(u32::MAX) => None,
            Some(seconds) => Some(Duration::from_secs(u64::from(seconds))),
        };
        if lifetime.is_some_and(|lifetime| lifetime < SHORTEST) {
            return None;
        }
        let routes = value(code::ROUTES).and_then(option::routes).unwrap_or_else(|| {
            // With classless routes, the list of routers must not be used (RFC 3442).
            let routers = value(code::ROUTER).map(option::addresses).unwrap_or_default();
            let route = |gateway| Route {
                destination: Ipv4Addr::UNSPECIFIED,
                bits: 0,
                gateway: Some(gateway),
            };
            routers.into_iter().map(route).take(1).collect()
        });
        let mtu =
            value(code::MTU).and_then(|value| Some(u16::from_be_bytes(value.try_into().ok()?)));
        let full = value(code::HOSTNAME).and_then(option::name);
        let (hostname, own_domain) = match full.as_deref().map(|name| name.split_once('.')) {
            Some(Some((host, domain))) => (Some(host.to_owned()), Some(domain.to_owned())),
            _ => (full, None),
        };
        Some(Self {
            address: reply.address,
            bits: value(code::MASK).and_then(option::mask).unwrap_or(class(reply.address)),
            server,
            lifetime,
            renewal: lifetime
                .map(|lifetime| renewal(lifetime, seconds(code::RENEW), seconds(code::REBIND))),
            routes,
            mtu: mtu.filter(|mtu| *mtu >= SMALLEST_MTU),
            hostname: hostname.filter(|name| name != "localhost"),
            domain: own_domain.or_else(|| value(code::DOMAIN).and_then(option::name)),
            search: value(code::SEARCH).map(option::search).unwrap_or_default(),
            resolvers: value(code::RESOLVERS).map(option::addresses).unwrap_or_default(),
            time_servers: value(code::TIME_SERVERS).map(option::addresses).unwrap_or_default(),
        })
    }

    /// Whether `other` differs in nothing that the node sees: a renewal changes times only.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let timeless = |lease: &Self| Self { lifetime: None, renewal: None, ..lease.clone() };
        timeless(self) == timeless(other)
    }
}

/// The prefix of an address's class, for servers that give no mask (RFC 1122 chapter 3.2.1.3).
pub(crate) fn class(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [..128, _, _, _] => 8,
        [..192, _, _, _] => 16,
        _ => 24,
    }
}

/// T1 and T2: as given when they are in order, else a half and seven eighths (RFC 2131 chapter 4.4.5).
fn renewal(lifetime: Duration, renew: Option<u32>, rebind: Option<u32>) -> (Duration, Duration) {
    let given = |seconds: Option<u32>| seconds.map(|s| Duration::from_secs(u64::from(s)));
    let (half, most) = (lifetime / 2, lifetime / 8 * 7);
    let rebind = given(rebind).filter(|t2| *t2 < lifetime && *t2 >= FIRST_RENEWAL).unwrap_or(most);
    let renew = given(renew).filter(|t1| *t1 <= rebind).unwrap_or(half.min(rebind));
    (renew.max(FIRST_RENEWAL), rebind.max(FIRST_RENEWAL))
}

#[cfg(test)]
mod tests {
    use super::super::message::{Kind, Options};
    use super::*;

    fn reply(options: &[(u8, &[u8])]) -> Reply {
        Reply {
            kind: Kind::Ack,
            exchange: 1,
            address: Ipv4Addr::new(10, 0, 0, 9),
            hardware: [2, 0, 0, 0, 0, 1],
            server: Some(Ipv4Addr::new(10, 0, 0, 1)),
            options: options
                .iter()
                .map(|(code, value)| (*code, value.to_vec()))
                .collect::<Options>(),
        }
    }

    #[test]
    fn options_become_settings() {
        let lease = Lease::of(&reply(&[
            (1, &[255, 255, 254, 0]),
            (3, &[10, 0, 0, 1, 10, 0, 0, 2]),
            (6, &[10, 0, 0, 53, 0, 0, 0, 0, 127, 0, 0, 1, 255, 255, 255, 255]),
            (12, b"cp-1.Example.org"),
            (15, b"other.org"),
            (26, &[0x23, 0x28]),
            (42, &[10, 0, 0, 123]),
            (51, &[0, 0, 14, 16]),
        ]))
        .unwrap();
        assert_eq!((lease.bits, lease.mtu), (23, Some(9000)));
        assert_eq!(lease.routes.len(), 1);
        assert_eq!(lease.resolvers, [Ipv4Addr::new(10, 0, 0, 53)]);
        assert_eq!(lease.time_servers, [Ipv4Addr::new(10, 0, 0, 123)]);
        assert_eq!(lease.hostname.as_deref(), Some("cp-1"));
        assert_eq!(lease.domain.as_deref(), Some("example.org"));
        assert_eq!(lease.renewal, Some((Duration::from_secs(1800), Duration::from_secs(3150))));
    }

    #[test]
    fn classless_routes_are_instead_of_routers() {
        let lease =
            Lease::of(&reply(&[(3, &[10, 0, 0, 1]), (121, &[8, 11, 10, 0, 0, 2])])).unwrap();
        assert_eq!(lease.routes.len(), 1);
        assert_eq!(lease.routes[0].destination, Ipv4Addr::new(11, 0, 0, 0));
        // Out of shape is as if they were not there.
        let lease = Lease::of(&reply(&[(3, &[10, 0, 0, 1]), (121, &[99])])).unwrap();
        assert_eq!(lease.routes[0].gateway, Some(Ipv4Addr::new(10, 0, 0, 1)));
    }

    #[test]
    fn times_are_put_in_order() {
        let secs = Duration::from_secs;
        let times = |options: &[(u8, &[u8])]| {
            Lease::of(&reply(options)).map(|lease| (lease.lifetime, lease.renewal))
        };
        type Case<'a> =
            (&'a [(u8, &'a [u8])], Option<(Option<Duration>, Option<(Duration, Duration)>)>);
        let cases: [Case<'_>; 6] = [
            (&[], Some((Some(secs(1800)), Some((secs(900), secs(1575)))))),
            (&[(51, &[255; 4])], Some((None, None))),
            (&[(51, &[0, 0, 0, 1])], None),
            (&[(51, &[0, 0, 0, 10])], Some((Some(secs(10)), Some((secs(5), secs(10) / 8 * 7))))),
            (
                &[(51, &[0, 0, 0, 120]), (58, &[0, 0, 0, 1]), (59, &[0, 0, 0, 60])],
                Some((Some(secs(120)), Some((secs(5), secs(60))))),
            ),
            (
                &[(51, &[0, 0, 0, 120]), (58, &[0, 1, 0, 0]), (59, &[255, 0, 0, 0])],
                Some((Some(secs(120)), Some((secs(60), secs(105))))),
            ),
        ];
        for (options, expected) in cases {
            assert_eq!(times(options), expected, "{options:?}");
        }
    }

    #[test]
    fn what_no_node_can_use_is_refused() {
        for address in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255]] {
            let bad = Reply { address: address.into(), ..reply(&[]) };
            assert_eq!(Lease::of(&bad), None, "{address:?}");
        }
        assert_eq!(Lease::of(&Reply { server: None, ..reply(&[]) }), None);
        let lease = Lease::of(&reply(&[(26, &[0, 68]), (12, b"a b"), (1, &[1, 2, 3, 4])])).unwrap();
        assert_eq!((lease.mtu, lease.hostname, lease.bits), (None, None, 8));
    }
}
