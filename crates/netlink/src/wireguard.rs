//! WireGuard links over generic netlink (`include/uapi/linux/wireguard.h`).
//!
//! Keys are base64 in resources and 32 bytes here. A link's status never has its secrets; see [`public`].

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::{Stream, StreamExt as _};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily as _, GenlMessage};
use netlink_packet_wireguard::{
    WireguardAddressFamily, WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute,
    WireguardCmd, WireguardMessage, WireguardPeer as Peer, WireguardPeerAttribute,
    WireguardPeerFlags,
};
use network::wireguard::WireguardChange;
use resource::network::{WireguardPeer, WireguardSpec};
use resource::types::{Duration, NetIpPrefix};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use rtnetlink::proto::new_connection;
use rtnetlink::sys::SocketAddr as Kernel;
use rtnetlink::sys::protocols::NETLINK_GENERIC;

use crate::{Netlink, NetlinkError};

type Key = [u8; WireguardAttribute::WG_KEY_LEN];

impl Netlink {
    /// How a WireGuard link is set up, with its secrets.
    ///
    /// # Errors
    /// When the kernel has no WireGuard, or there is no such link.
    pub async fn wireguard(&self, index: u32) -> Result<WireguardSpec, NetlinkError> {
        let source = |source| NetlinkError::Read { what: "a WireGuard link", source };
        let message = WireguardMessage {
            cmd: WireguardCmd::GetDevice,
            attributes: vec![WireguardAttribute::IfIndex(index)],
        };
        let parts = ask(message, NLM_F_REQUEST | NLM_F_DUMP).await.map_err(source)?;
        Ok(read(parts.into_iter().flat_map(|part| part.attributes)))
    }

    /// Changes a WireGuard link.
    ///
    /// # Errors
    /// When a key is none, or the kernel refuses.
    pub async fn set_wireguard(
        &self,
        index: u32,
        name: &str,
        change: &WireguardChange,
    ) -> Result<(), NetlinkError> {
        let action = || format!("set up WireGuard link {name}");
        let message = message(index, change)
            .map_err(|reason| NetlinkError::Spec { action: action(), reason })?;
        let done = ask(message, NLM_F_REQUEST | NLM_F_ACK).await;
        done.map(drop).map_err(|source| NetlinkError::Write { action: action(), source })
    }
}

/// The same without what nobody may read.
#[must_use]
pub(crate) fn public(spec: WireguardSpec) -> WireguardSpec {
    let peers = spec.peers.into_iter();
    let peers = peers.map(|peer| WireguardPeer { preshared_key: String::new(), ..peer });
    WireguardSpec { private_key: String::new(), peers: peers.collect(), ..spec }
}

/// Sends a request on a connection of its own, which lives in this thread's network namespace, and collects the answer.
async fn ask(
    message: WireguardMessage,
    flags: u16,
) -> Result<Vec<WireguardMessage>, rtnetlink::Error> {
    let mut message = GenlMessage::from_payload(message);
    message.set_resolved_family_id(family().await?);
    exchange(message, flags).await.map(|parts| parts.into_iter().map(|part| part.payload).collect())
}

/// The number that the kernel gave to WireGuard when its module was loaded.
async fn family() -> Result<u16, rtnetlink::Error> {
    let name = GenlCtrlAttrs::FamilyName(WireguardMessage::family_name().to_owned());
    let question = GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: vec![name] };
    let answer = exchange(GenlMessage::from_payload(question), NLM_F_REQUEST | NLM_F_ACK).await?;
    let attributes = answer.into_iter().flat_map(|part| part.payload.nlas);
    let mut id = attributes.filter_map(|attribute| match attribute {
        GenlCtrlAttrs::FamilyId(id) => Some(id),
        _ => None,
    });
    id.next().ok_or(rtnetlink::Error::RequestFailed)
}

async fn exchange<T>(message: T, flags: u16) -> Result<Vec<T>, rtnetlink::Error>
where
    T: NetlinkSerializable + NetlinkDeserializable + std::fmt::Debug + Unpin + Send + 'static,
    NetlinkPayload<T>: From<T>,
{
    let failed = |_| rtnetlink::Error::RequestFailed;
    let (connection, handle, _) = new_connection::<T>(NETLINK_GENERIC).map_err(failed)?;
    let task = tokio::spawn(connection);
    let mut request = NetlinkMessage::from(message);
    request.header.flags = flags;
    let answers =
        handle.request(request, Kernel::new(0, 0)).map_err(|_| rtnetlink::Error::RequestFailed);
    let parts = match answers {
        Ok(answers) => collect(answers).await,
        Err(error) => Err(error),
    };
    task.abort();
    parts
}

async fn collect<T>(
    mut answers: impl Stream<Item = NetlinkMessage<T>> + Unpin,
) -> Result<Vec<T>, rtnetlink::Error> {
    let mut parts = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer.payload {
            NetlinkPayload::InnerMessage(part) => parts.push(part),
            // A code of 0 confirms.
            NetlinkPayload::Error(error) if error.code.is_some() => {
                return Err(rtnetlink::Error::NetlinkError(error));
            }
            _ => {}
        }
    }
    Ok(parts)
}

fn key(text: &str) -> Result<Key, &'static str> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| "a key is not base64")?;
    bytes.try_into().map_err(|_| "a key does not have 32 bytes")
}

/// A key as text; the key of zeros is none.
fn text(key: Key) -> String {
    if key == Key::default() { String::new() } else { BASE64_STANDARD.encode(key) }
}

fn message(index: u32, change: &WireguardChange) -> Result<WireguardMessage, &'static str> {
    let mut attributes = vec![WireguardAttribute::IfIndex(index)];
    if let Some(private) = &change.private_key {
        attributes.push(WireguardAttribute::PrivateKey(key(private)?));
    }
    attributes.extend(change.listen_port.map(WireguardAttribute::ListenPort));
    attributes.extend(change.firewall_mark.map(WireguardAttribute::Fwmark));
    let mut peers = Vec::new();
    for removed in &change.removed {
        peers.push(Peer(vec![
            WireguardPeerAttribute::PublicKey(key(removed)?),
            WireguardPeerAttribute::Flags(WireguardPeerFlags::RemoveMe),
        ]));
    }
    for wanted in &change.peers {
        peers.push(peer(wanted)?);
    }
    if !peers.is_empty() {
        attributes.push(WireguardAttribute::Peers(peers));
    }
    Ok(WireguardMessage { cmd: WireguardCmd::SetDevice, attributes })
}

fn peer(wanted: &WireguardPeer) -> Result<Peer, &'static str> {
    let shared = match wanted.preshared_key.as_str() {
        "" => Key::default(),
        text => key(text)?,
    };
    let seconds = wanted.persistent_keepalive_interval.to_std().as_secs();
    let mut attributes = vec![
        WireguardPeerAttribute::PublicKey(key(&wanted.public_key)?),
        WireguardPeerAttribute::Flags(WireguardPeerFlags::ReplaceAllowedIps),
        WireguardPeerAttribute::PresharedKey(shared),
        WireguardPeerAttribute::PersistentKeepalive(u16::try_from(seconds).unwrap_or(u16::MAX)),
    ];
    if !wanted.endpoint.is_empty() {
        let endpoint: SocketAddr =
            wanted.endpoint.parse().map_err(|_| "an endpoint is no address with a port")?;
        attributes.push(WireguardPeerAttribute::Endpoint(endpoint));
    }
    let allowed = wanted.allowed_ips.iter().filter_map(|prefix| prefix.0);
    let allowed = allowed.map(|(address, bits)| {
        let family = if address.is_ipv4() {
            WireguardAddressFamily::Ipv4
        } else {
            WireguardAddressFamily::Ipv6
        };
        WireguardAllowedIp(vec![
            WireguardAllowedIpAttr::Family(family),
            WireguardAllowedIpAttr::IpAddr(address),
            WireguardAllowedIpAttr::Cidr(bits),
        ])
    });
    attributes.push(WireguardPeerAttribute::AllowedIps(allowed.collect()));
    Ok(Peer(attributes))
}

/// Puts the parts of an answer together: a peer that did not fit into one part goes on in the next.
fn read(attributes: impl Iterator<Item = WireguardAttribute>) -> WireguardSpec {
    let mut spec = WireguardSpec::default();
    for attribute in attributes {
        match attribute {
            WireguardAttribute::PrivateKey(key) => spec.private_key = text(key),
            WireguardAttribute::PublicKey(key) => spec.public_key = text(key),
            WireguardAttribute::ListenPort(port) => spec.listen_port = i64::from(port),
            WireguardAttribute::Fwmark(mark) => spec.firewall_mark = i64::from(mark),
            WireguardAttribute::Peers(peers) => {
                for found in peers.into_iter().map(read_peer) {
                    match spec.peers.last_mut() {
                        Some(last) if last.public_key == found.public_key => {
                            last.allowed_ips.extend(found.allowed_ips);
                        }
                        _ => spec.peers.push(found),
                    }
                }
            }
            _ => {}
        }
    }
    spec
}

fn read_peer(attributes: Peer) -> WireguardPeer {
    let mut peer = WireguardPeer::default();
    for attribute in attributes.0 {
        match attribute {
            WireguardPeerAttribute::PublicKey(key) => peer.public_key = text(key),
            WireguardPeerAttribute::PresharedKey(key) => peer.preshared_key = text(key),
            WireguardPeerAttribute::Endpoint(endpoint) => peer.endpoint = endpoint.to_string(),
            WireguardPeerAttribute::PersistentKeepalive(seconds) => {
                peer.persistent_keepalive_interval = Duration::from_seconds(i64::from(seconds));
            }
            WireguardPeerAttribute::AllowedIps(allowed) => {
                peer.allowed_ips = allowed.into_iter().filter_map(read_allowed).collect();
            }
            _ => {}
        }
    }
    peer
}

fn read_allowed(attributes: WireguardAllowedIp) -> Option<NetIpPrefix> {
    let (mut address, mut bits) = (None, None);
    for attribute in attributes.0 {
        match attribute {
            WireguardAllowedIpAttr::IpAddr(found) => address = Some(found),
            WireguardAllowedIpAttr::Cidr(found) => bits = Some(found),
            _ => {}
        }
    }
    NetIpPrefix::new(address?, bits?)
}

#[cfg(test)]
mod tests {
    use netlink_packet_generic::GenlHeader;
    use network::wireguard::change;
    use rtnetlink::packet_core::{Emitable as _, ParseableParametrized as _};

    use super::*;

    fn spec() -> WireguardSpec {
        let key = |byte: u8| BASE64_STANDARD.encode([byte; 32]);
        let peer = |byte, endpoint: &str| WireguardPeer {
            public_key: key(byte),
            preshared_key: key(byte + 100),
            endpoint: endpoint.into(),
            persistent_keepalive_interval: Duration::from_seconds(25),
            allowed_ips: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()],
        };
        WireguardSpec {
            private_key: key(1),
            listen_port: 51_820,
            firewall_mark: 7,
            peers: vec![peer(2, "192.0.2.1:51820"), peer(3, "[2001:db8::1]:9"), peer(4, "")],
            ..WireguardSpec::default()
        }
    }

    /// Hosts without the driver cannot say whether the bytes are right, so the bytes are read again as the kernel's.
    #[test]
    fn what_is_written_reads_as_what_was_wanted() {
        let message = message(5, &change(&spec(), &WireguardSpec::default())).unwrap();
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        let header = GenlHeader { cmd: message.command(), version: message.version() };
        let again = WireguardMessage::parse_with_param(&bytes, header).unwrap();
        assert_eq!(again, message);
        assert_eq!(read(again.attributes.into_iter()), spec());
        // IFINDEX 5, then the private key, in this machine's byte order.
        assert_eq!(bytes.get(..8), Some(&[8, 0, 1, 0, 5, 0, 0, 0][..]));
        assert_eq!(bytes.get(8..12), Some(&[36, 0, 3, 0][..]));
    }

    #[test]
    fn a_status_has_no_secrets_and_wrong_keys_are_told() {
        let shown = public(spec());
        assert_eq!(shown.private_key, "");
        assert!(shown.peers.iter().all(|peer| peer.preshared_key.is_empty()));
        assert_eq!(shown.peers.len(), 3);
        for (private, reason) in
            [("?", "a key is not base64"), ("AAAA", "a key does not have 32 bytes")]
        {
            let wanted = WireguardSpec { private_key: private.into(), ..WireguardSpec::default() };
            assert_eq!(message(5, &change(&wanted, &WireguardSpec::default())), Err(reason));
        }
    }
}
