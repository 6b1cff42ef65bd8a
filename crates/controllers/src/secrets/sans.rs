//! By which names and addresses the node's API is reached.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use resource::network::{HostnameStatusSpec, NodeAddressSpec};
use resource::secrets::{CertSANSpec, OSRootSpec};
use resource::types::NetIp;

/// The names of the API certificate: what the configuration adds, the host name in both forms, every address the
/// node has had (pods' own not counted), and the loop-back ones.
#[must_use]
pub fn plan(
    root: &OSRootSpec,
    hostname: &HostnameStatusSpec,
    addresses: &NodeAddressSpec,
) -> CertSANSpec {
    let fqdn = fqdn(hostname);
    let mut dns_names: BTreeSet<String> = root.cert_sandns_names.iter().cloned().collect();
    dns_names.insert("localhost".to_owned());
    dns_names.extend([hostname.hostname.clone(), fqdn.clone()]);
    dns_names.remove("");
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let ips: BTreeSet<IpAddr> = root
        .cert_san_ips
        .iter()
        .filter_map(|NetIp(ip)| *ip)
        .chain(addresses.addresses.iter().filter_map(|prefix| prefix.address()))
        .chain(loopback)
        .collect();
    CertSANSpec {
        ips: ips.into_iter().map(|ip| NetIp(Some(ip))).collect(),
        dns_names: dns_names.into_iter().collect(),
        fqdn,
    }
}

/// Host and domain name as one.
#[must_use]
pub fn fqdn(hostname: &HostnameStatusSpec) -> String {
    match hostname.domainname.as_str() {
        "" => hostname.hostname.clone(),
        domain => format!("{}.{domain}", hostname.hostname),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::types::NetIpPrefix;

    #[test]
    fn every_name_is_there_once() {
        let root = OSRootSpec {
            cert_san_ips: vec![NetIp(Some([10, 5, 0, 2].into()))],
            cert_sandns_names: vec!["api.example".into()],
            ..OSRootSpec::default()
        };
        let hostname = HostnameStatusSpec { hostname: "cp-1".into(), domainname: "example".into() };
        let addresses = NodeAddressSpec {
            addresses: vec![NetIpPrefix::new([10, 5, 0, 2].into(), 24).unwrap()],
            ..NodeAddressSpec::default()
        };
        let sans = plan(&root, &hostname, &addresses);
        assert_eq!(sans.dns_names, ["api.example", "cp-1", "cp-1.example", "localhost"]);
        let ips: Vec<String> =
            sans.ips.iter().filter_map(|NetIp(ip)| ip.map(|ip| ip.to_string())).collect();
        assert_eq!(ips, ["10.5.0.2", "127.0.0.1", "::1"]);
        assert_eq!(sans.fqdn, "cp-1.example");
    }
}
