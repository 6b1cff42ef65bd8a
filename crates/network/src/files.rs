//! The texts of `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`.

use std::fmt::Write as _;
use std::net::IpAddr;

use resource::network::{HostnameStatusSpec, ResolverStatusSpec};

/// More name servers than this are ignored by the C library.
const NAME_SERVERS: usize = 3;

/// `/etc/hosts`: the node's own names, and those that were set by hand.
#[must_use]
pub fn hosts(
    hostname: Option<&HostnameStatusSpec>,
    addresses: &[IpAddr],
    more: &[(IpAddr, Vec<String>)],
) -> String {
    let mut out = String::new();
    line(&mut out, "127.0.0.1", &["localhost".to_owned()]);
    if let Some(name) = hostname.filter(|name| !name.hostname.is_empty()) {
        let mut names = Vec::new();
        if !name.domainname.is_empty() {
            names.push(fqdn(name));
        }
        names.push(name.hostname.clone());
        for address in addresses {
            line(&mut out, &address.to_string(), &names);
        }
    }
    let local = ["localhost", "ip6-localhost", "ip6-loopback"].map(str::to_owned);
    line(&mut out, "::1", &local);
    line(&mut out, "ff02::1", &["ip6-allnodes".to_owned()]);
    line(&mut out, "ff02::2", &["ip6-allrouters".to_owned()]);
    for (address, names) in more {
        line(&mut out, &address.to_string(), names);
    }
    out
}

fn line(out: &mut String, address: &str, names: &[String]) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "{address:<15} {}", names.join(" "));
}

/// The full name of the node.
#[must_use]
pub fn fqdn(name: &HostnameStatusSpec) -> String {
    if name.domainname.is_empty() {
        name.hostname.clone()
    } else {
        format!("{}.{}", name.hostname, name.domainname)
    }
}

/// `/etc/hostname`.
#[must_use]
pub fn hostname(name: &HostnameStatusSpec) -> String {
    format!("{}\n", fqdn(name))
}

/// `/etc/resolv.conf`. Without search domains, the node's own domain is searched.
#[must_use]
pub fn resolv_conf(
    resolvers: &ResolverStatusSpec,
    hostname: Option<&HostnameStatusSpec>,
) -> String {
    let mut out = String::new();
    for server in resolvers.dns_servers.iter().take(NAME_SERVERS) {
        let _ = writeln!(out, "nameserver {server}");
    }
    let mut domains = resolvers.search_domains.clone();
    if domains.is_empty() {
        domains.extend(hostname.map(|name| name.domainname.clone()).filter(|d| !d.is_empty()));
    }
    if !domains.is_empty() {
        let _ = writeln!(out, "search {}", domains.join(" "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> HostnameStatusSpec {
        HostnameStatusSpec { hostname: "cp-1".into(), domainname: "example.org".into() }
    }

    #[test]
    fn hosts_name_the_node_on_each_of_its_addresses() {
        let more = [("10.9.9.9".parse().unwrap(), vec!["registry".to_owned(), "r".to_owned()])];
        let text = hosts(Some(&name()), &["10.5.0.2".parse().unwrap()], &more);
        let expected = "127.0.0.1       localhost\n\
                        10.5.0.2        cp-1.example.org cp-1\n\
                        ::1             localhost ip6-localhost ip6-loopback\n\
                        ff02::1         ip6-allnodes\n\
                        ff02::2         ip6-allrouters\n\
                        10.9.9.9        registry r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn resolv_conf_has_three_servers_at_most() {
        let resolvers = ResolverStatusSpec {
            dns_servers: ["1.1.1.1", "8.8.8.8", "9.9.9.9", "4.4.4.4"]
                .map(|ip| ip.parse().unwrap())
                .to_vec(),
            ..ResolverStatusSpec::default()
        };
        let text = resolv_conf(&resolvers, Some(&name()));
        let expected = "nameserver 1.1.1.1\nnameserver 8.8.8.8\nnameserver 9.9.9.9\n\
                        search example.org\n";
        assert_eq!(text, expected);
    }
}
