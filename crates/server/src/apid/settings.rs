//! What apid goes by: where it listens, whom it lets in, what it shows, and what the node is called.
//!
//! Put together from four resources by a pure function and kept current from the filtered state socket.
//! Must never: be without a server certificate once published.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use resource::{
    Spec,
    network::{HostnameStatusSpec, NodeAddressSpec},
    runtime::APIServiceConfigSpec,
    secrets::APICertsSpec,
    types::PemEncodedCertificateAndKey,
};
use tokio::sync::watch;

use super::director::Standing;
use crate::{
    feed::{self, Contents, Socket},
    tls::{Clients, PemIdentity},
};

/// Why settings cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The listening address.
    #[error("{address:?} is not an address to listen on: expected \"address:port\" or \":port\"")]
    Listen {
        /// As it stands in the settings.
        address: String,
    },
    /// A certificate or key that is not text.
    #[error("the {which} is not PEM text")]
    Pem {
        /// Which one.
        which: &'static str,
    },
}

/// The settings of apid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether callers get a role by where they come from and not by certificate.
    pub role_by_address: bool,
    /// Whose certificates are accepted.
    pub clients: Clients,
    /// What callers are shown.
    pub server: PemIdentity,
    /// What other nodes are shown; workers have none.
    pub client: Option<PemIdentity>,
    /// Whom other nodes are believed by.
    pub authorities: String,
    /// What decides about the direction of calls.
    pub standing: Standing,
}

/// What is known from the state socket.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    service: Option<APIServiceConfigSpec>,
    certificates: Option<APICertsSpec>,
    addresses: Contents<NodeAddressSpec>,
    hostname: Option<HostnameStatusSpec>,
}

/// Publishes the settings of the node behind a state socket, now and after every change, for ever.
pub async fn follow(socket: Socket, settings: watch::Sender<Option<Arc<Settings>>>) {
    let known = watch::Sender::new(Known::default());
    let update = |change: &mut dyn FnMut(&mut Known)| {
        known.send_modify(change);
        match assemble(&known.borrow()) {
            Ok(None) => {}
            Ok(Some(next)) => {
                settings.send_if_modified(|current| {
                    let changed = current.as_deref() != Some(&next);
                    if changed {
                        *current = Some(Arc::new(next));
                    }
                    changed
                });
            }
            Err(error) => tracing::error!(%error, "settings of apid"),
        }
    };
    tokio::join!(
        feed::follow::<APIServiceConfigSpec>(&socket, namespace::<APIServiceConfigSpec>(), |all| {
            update(&mut |known| known.service = all.get("apid").cloned());
        }),
        feed::follow::<APICertsSpec>(&socket, namespace::<APICertsSpec>(), |all| {
            update(&mut |known| known.certificates = all.get("api").cloned());
        }),
        feed::follow::<NodeAddressSpec>(&socket, namespace::<NodeAddressSpec>(), |all| {
            update(&mut |known| known.addresses = all.clone());
        }),
        feed::follow::<HostnameStatusSpec>(&socket, namespace::<HostnameStatusSpec>(), |all| {
            update(&mut |known| known.hostname = all.get("hostname").cloned());
        }),
    );
}

fn namespace<S: Spec>() -> &'static str {
    S::DEFINITION.namespace
}

/// The settings, once there is enough to serve anybody.
fn assemble(known: &Known) -> Result<Option<Settings>, SettingsError> {
    let (Some(service), Some(certificates)) = (&known.service, &known.certificates) else {
        return Ok(None);
    };
    let server = identity(&certificates.server, "server certificate")?;
    if server.is_empty() {
        return Ok(None);
    }
    let client = identity(&certificates.client, "client certificate")?;
    let mut authorities = String::new();
    for authority in &certificates.accepted_cas {
        authorities.push_str(text(&authority.crt.0, "accepted authority")?);
        if !authorities.ends_with('\n') {
            authorities.push('\n');
        }
    }
    let anyone = service.skip_verifying_client_cert || certificates.skip_verifying_client_cert;
    let client = (!client.is_empty() && !authorities.is_empty()).then_some(client);
    let standing = Standing {
        routing: !service.node_routing_disabled,
        can_forward: client.is_some(),
        addresses: addresses(&known.addresses),
        names: known.hostname.as_ref().map(names).unwrap_or_default(),
    };
    Ok(Some(Settings {
        listen: listen(&service.listen_address)?,
        role_by_address: service.readonly_role_mode,
        clients: if anyone { Clients::Anyone } else { Clients::Verified(authorities.clone()) },
        server,
        client,
        authorities,
        standing,
    }))
}

fn identity(
    pair: &PemEncodedCertificateAndKey,
    which: &'static str,
) -> Result<PemIdentity, SettingsError> {
    Ok(PemIdentity {
        certificate: text(&pair.crt.0, which)?.to_owned(),
        key: text(&pair.key.0, which)?.to_owned(),
    })
}

fn text<'a>(bytes: &'a [u8], which: &'static str) -> Result<&'a str, SettingsError> {
    std::str::from_utf8(bytes).map_err(|_| SettingsError::Pem { which })
}

/// A port alone means every address, of both families.
fn listen(address: &str) -> Result<SocketAddr, SettingsError> {
    let bad = || SettingsError::Listen { address: address.to_owned() };
    match address.strip_prefix(':') {
        Some(port) => {
            Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.parse().map_err(|_| bad())?)))
        }
        None => address.parse().map_err(|_| bad()),
    }
}

fn addresses(sets: &Contents<NodeAddressSpec>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = sets
        .values()
        .flat_map(|set| &set.addresses)
        .filter_map(|prefix| prefix.address())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn names(status: &HostnameStatusSpec) -> Vec<String> {
    if status.domainname.is_empty() {
        return vec![status.hostname.clone()];
    }
    vec![status.hostname.clone(), format!("{}.{}", status.hostname, status.domainname)]
}

#[cfg(test)]
mod tests {
    use resource::types::{NetIpPrefix, PemEncodedCertificate};

    use super::*;

    fn pair(name: &str) -> PemEncodedCertificateAndKey {
        PemEncodedCertificateAndKey {
            crt: format!("{name} crt").into(),
            key: format!("{name} key").into(),
        }
    }

    fn control_plane() -> Known {
        let prefix = |text: &str, bits| NetIpPrefix::new(text.parse().unwrap(), bits).unwrap();
        let current = NodeAddressSpec {
            addresses: vec![prefix("10.5.0.2", 24), prefix("10.5.0.2", 24)],
            ..Default::default()
        };
        Known {
            service: Some(APIServiceConfigSpec {
                listen_address: ":50000".into(),
                ..Default::default()
            }),
            certificates: Some(APICertsSpec {
                accepted_cas: vec![
                    PemEncodedCertificate { crt: "one".to_owned().into() },
                    PemEncodedCertificate { crt: "two\n".to_owned().into() },
                ],
                client: pair("client"),
                server: pair("server"),
                skip_verifying_client_cert: false,
            }),
            addresses: Contents::from([("current".to_owned(), current)]),
            hostname: Some(HostnameStatusSpec {
                hostname: "cp-1".into(),
                domainname: "example.org".into(),
            }),
        }
    }

    #[test]
    fn a_control_plane_verifies_and_forwards() {
        let settings = assemble(&control_plane()).unwrap().unwrap();
        assert_eq!(settings.listen, "[::]:50000".parse().unwrap());
        assert_eq!(settings.clients, Clients::Verified("one\ntwo\n".into()));
        assert!(settings.standing.can_forward && settings.standing.routing);
        assert_eq!(settings.standing.addresses, ["10.5.0.2".parse::<IpAddr>().unwrap()]);
        assert_eq!(settings.standing.names, ["cp-1", "cp-1.example.org"]);
    }

    #[test]
    fn a_worker_has_no_client_certificate_and_does_not_forward() {
        let mut known = control_plane();
        known.certificates.as_mut().unwrap().client = PemEncodedCertificateAndKey::default();
        let settings = assemble(&known).unwrap().unwrap();
        assert_eq!(settings.client, None);
        assert!(!settings.standing.can_forward);
    }

    #[test]
    fn maintenance_asks_for_no_certificate_and_does_not_route() {
        let mut known = control_plane();
        let service = known.service.as_mut().unwrap();
        service.listen_address = "[fdae:41e4:649b:9303::1]:50000".into();
        service.skip_verifying_client_cert = true;
        service.readonly_role_mode = true;
        service.node_routing_disabled = true;
        let settings = assemble(&known).unwrap().unwrap();
        assert_eq!(settings.clients, Clients::Anyone);
        assert!(settings.role_by_address && !settings.standing.routing);
        assert_eq!(settings.listen.port(), 50000);
    }

    #[test]
    fn nothing_is_served_before_there_is_a_certificate() {
        for take in [
            |known: &mut Known| known.service = None,
            |known: &mut Known| known.certificates = None,
            |known: &mut Known| {
                known.certificates.as_mut().unwrap().server = Default::default();
            },
        ] {
            let mut known = control_plane();
            take(&mut known);
            assert_eq!(assemble(&known), Ok(None));
        }
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        for bad in ["", "50000", ":", ":70000", "host:1"] {
            let mut known = control_plane();
            known.service.as_mut().unwrap().listen_address = bad.into();
            assert_eq!(assemble(&known), Err(SettingsError::Listen { address: bad.into() }));
        }
    }
}
