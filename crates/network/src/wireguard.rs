//! What has to be told to a WireGuard link.

use resource::network::{WireguardPeer, WireguardSpec};

/// The changes of one link. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WireguardChange {
    /// The key of this end.
    pub private_key: Option<String>,
    /// The port on which this end listens.
    pub listen_port: Option<u16>,
    /// The mark of the tunnel's own packets.
    pub firewall_mark: Option<u32>,
    /// Peers to add, or to set up anew with all they have.
    pub peers: Vec<WireguardPeer>,
    /// Public keys of peers that go.
    pub removed: Vec<String>,
}

impl WireguardChange {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a link that is as `present` needs to become as `wanted`. A port of 0 is the kernel's choice, and stays what it
/// chose; so does the endpoint of a peer that has none here, for such a peer calls from wherever it is.
#[must_use]
pub fn change(wanted: &WireguardSpec, present: &WireguardSpec) -> WireguardChange {
    let port = u16::try_from(wanted.listen_port).ok().filter(|port| *port != 0);
    let mark = u32::try_from(wanted.firewall_mark).ok();
    let known = |key: &str| present.peers.iter().find(|peer| peer.public_key == key);
    let is_wanted = |key: &str| wanted.peers.iter().any(|peer| peer.public_key == key);
    WireguardChange {
        private_key: (wanted.private_key != present.private_key)
            .then(|| wanted.private_key.clone()),
        listen_port: port.filter(|port| i64::from(*port) != present.listen_port),
        firewall_mark: mark.filter(|mark| i64::from(*mark) != present.firewall_mark),
        peers: wanted
            .peers
            .iter()
            .filter(|peer| known(&peer.public_key).is_none_or(|known| !is_same(peer, known)))
            .cloned()
            .collect(),
        removed: present
            .peers
            .iter()
            .map(|peer| peer.public_key.clone())
            .filter(|key| !is_wanted(key))
            .collect(),
    }
}

fn is_same(wanted: &WireguardPeer, present: &WireguardPeer) -> bool {
    let sorted = |peer: &WireguardPeer| {
        let mut all: Vec<_> = peer.allowed_ips.iter().map(|ip| ip.masked().to_string()).collect();
        all.sort_unstable();
        all
    };
    wanted.preshared_key == present.preshared_key
        && (wanted.endpoint.is_empty() || wanted.endpoint == present.endpoint)
        && wanted.persistent_keepalive_interval == present.persistent_keepalive_interval
        && sorted(wanted) == sorted(present)
}

#[cfg(test)]
mod tests {
    use resource::types::Duration;

    use super::*;

    fn peer(key: &str) -> WireguardPeer {
        WireguardPeer {
            public_key: key.into(),
            endpoint: "192.0.2.1:51820".into(),
            persistent_keepalive_interval: Duration::from_seconds(25),
            allowed_ips: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()],
            ..WireguardPeer::default()
        }
    }

    #[test]
    fn peers_are_compared_one_by_one() {
        let wanted = WireguardSpec {
            private_key: "own".into(),
            listen_port: 51_820,
            peers: vec![peer("a"), peer("b")],
            ..WireguardSpec::default()
        };
        let made = change(&wanted, &WireguardSpec::default());
        assert_eq!(made.private_key.as_deref(), Some("own"));
        assert_eq!((made.listen_port, made.firewall_mark), (Some(51_820), None));
        assert_eq!(made.peers.len(), 2);
        assert!(change(&wanted, &wanted).is_empty());

        let mut present = wanted.clone();
        present.peers[0].allowed_ips.reverse();
        present.peers[1].persistent_keepalive_interval = Duration::default();
        present.peers.push(peer("c"));
        let found = change(&wanted, &present);
        assert_eq!(found.peers, [peer("b")]);
        assert_eq!(found.removed, ["c"]);
        assert!(found.private_key.is_none() && found.listen_port.is_none());
    }

    #[test]
    fn what_the_kernel_or_the_peer_chose_stays() {
        let mut wanted = WireguardSpec { peers: vec![peer("a")], ..WireguardSpec::default() };
        let mut present = wanted.clone();
        present.listen_port = 40_001;
        present.peers[0].endpoint = "198.51.100.7:9".into();
        assert_eq!(change(&wanted, &present).peers.len(), 1);
        wanted.peers[0].endpoint.clear();
        assert!(change(&wanted, &present).is_empty());
    }
}
