//! etcd's command line.

use std::net::IpAddr;

use manifests::arguments::{ArgumentError, Arguments, Merge};
use resource::etcd::SpecSpec;
use resource::types::NetIp;

use super::PKI_DIR;

/// How a member begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It goes on with the data that it has.
    Existing,
    /// It is the first of a new cluster.
    First,
    /// It joins the members of `initial-cluster`.
    Join(String),
}

fn rule(name: &str) -> Merge {
    match name {
        "name"
        | "auto-tls"
        | "peer-auto-tls"
        | "data-dir"
        | "listen-peer-urls"
        | "listen-client-urls"
        | "listen-client-http-urls"
        | "client-cert-auth"
        | "cert-file"
        | "key-file"
        | "trusted-ca-file"
        | "peer-client-cert-auth"
        | "peer-cert-file"
        | "peer-key-file"
        | "peer-trusted-ca-file"
        | "tls-min-version" => Merge::Deny,
        "feature-gates" => Merge::Append,
        _ => Merge::Replace,
    }
}

fn urls(scheme: &str, addresses: &[NetIp], port: u16) -> String {
    let urls = addresses.iter().filter_map(|NetIp(ip)| *ip).map(|ip| url(scheme, ip, port));
    urls.collect::<Vec<_>>().join(",")
}

/// A URL at an address.
pub(super) fn url(scheme: &str, ip: IpAddr, port: u16) -> String {
    format!("{scheme}://{}", std::net::SocketAddr::new(ip, port))
}

/// The URLs that other members reach this one at.
pub(super) fn peer_urls(spec: &SpecSpec) -> Vec<String> {
    let addresses = spec.advertised_addresses.iter().filter_map(|NetIp(ip)| *ip);
    addresses.map(|ip| url("https", ip, 2380)).collect()
}

/// The arguments of a member.
pub(super) fn arguments(spec: &SpecSpec, start: &Start) -> Result<Vec<String>, ArgumentError> {
    let pki = |file: &str| format!("{PKI_DIR}/{file}");
    let peers = peer_urls(spec).join(",");
    let mut arguments = Arguments::default();
    arguments
        .set("advertise-client-urls", urls("https", &spec.advertised_addresses, 2379))
        .set("auto-tls", "false")
        .set("cert-file", pki("server.crt"))
        .set("client-cert-auth", "true")
        .set("data-dir", super::DATA_DIR)
        .set("feature-gates", "InitialCorruptCheck=true,CompactHashCheck=true")
        .set("key-file", pki("server.key"))
        .set("listen-client-http-urls", urls("https", &spec.listen_client_addresses, 2383))
        .set("listen-client-urls", urls("https", &spec.listen_client_addresses, 2379))
        .set("listen-peer-urls", urls("https", &spec.listen_peer_addresses, 2380))
        .set("name", &spec.name)
        .set("peer-auto-tls", "false")
        .set("peer-cert-file", pki("peer.crt"))
        .set("peer-client-cert-auth", "true")
        .set("peer-key-file", pki("peer.key"))
        .set("peer-trusted-ca-file", pki("ca.crt"))
        .set("tls-min-version", "TLS1.3")
        .set("trusted-ca-file", pki("ca.crt"))
        .set("watch-progress-notify-interval", "5s");
    match start {
        Start::Existing => {}
        Start::First => {
            let cluster: Vec<String> =
                peer_urls(spec).into_iter().map(|url| format!("{}={url}", spec.name)).collect();
            arguments
                .set("initial-advertise-peer-urls", peers)
                .set("initial-cluster", cluster.join(","))
                .set("initial-cluster-state", "new");
        }
        Start::Join(cluster) => {
            arguments
                .set("initial-advertise-peer-urls", peers)
                .set("initial-cluster", cluster)
                .set("initial-cluster-state", "existing");
        }
    }
    let extra = spec.extra_args.iter().map(|(name, values)| (name.clone(), values.values.clone()));
    Ok(arguments.merge("etcd", &extra.collect(), rule)?.flags())
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::etcd::ArgValues;

    fn spec() -> SpecSpec {
        let ip = |a| NetIp(Some(IpAddr::from(a)));
        SpecSpec {
            name: "cp-1".into(),
            advertised_addresses: vec![ip([10, 5, 0, 2])],
            listen_peer_addresses: vec![ip([0, 0, 0, 0])],
            listen_client_addresses: vec![ip([0, 0, 0, 0])],
            ..SpecSpec::default()
        }
    }

    #[test]
    fn command_lines() {
        let first = arguments(&spec(), &Start::First).unwrap();
        for flag in [
            "--name=cp-1",
            "--listen-client-urls=https://0.0.0.0:2379",
            "--listen-client-http-urls=https://0.0.0.0:2383",
            "--initial-cluster=cp-1=https://10.5.0.2:2380",
            "--initial-cluster-state=new",
            "--advertise-client-urls=https://10.5.0.2:2379",
        ] {
            assert!(first.contains(&flag.to_owned()), "{flag} is missing from {first:?}");
        }
        let existing = arguments(&spec(), &Start::Existing).unwrap();
        assert!(!existing.iter().any(|flag| flag.starts_with("--initial")));
        let join = arguments(&spec(), &Start::Join("a=b".into())).unwrap();
        assert!(join.contains(&"--initial-cluster-state=existing".to_owned()));
    }

    #[test]
    fn arguments_of_the_system_are_refused() {
        let mut spec = spec();
        spec.extra_args.insert("election-timeout".into(), ArgValues { values: vec!["500".into()] });
        assert!(
            arguments(&spec, &Start::First).unwrap().contains(&"--election-timeout=500".to_owned())
        );
        spec.extra_args.insert("data-dir".into(), ArgValues { values: vec!["/x".into()] });
        assert!(arguments(&spec, &Start::First).is_err());
    }
}
