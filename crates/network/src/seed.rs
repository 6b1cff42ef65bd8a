//! What another system wrote for the node: `/etc/hostname` and `/etc/resolv.conf`.

use std::net::IpAddr;

use resource::network::{HostnameSpecSpec, ResolverSpecSpec};
use resource::types::NetIp;

/// The host name in `/etc/hostname`; `None` when there is none.
#[must_use]
pub fn hostname(text: &str) -> Option<HostnameSpecSpec> {
    let name =
        text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let (hostname, domainname) = name.split_once('.').unwrap_or((name, ""));
    let spec = HostnameSpecSpec {
        hostname: hostname.to_owned(),
        domainname: domainname.to_owned(),
        ..HostnameSpecSpec::default()
    };
    Some(spec).filter(|spec| !spec.hostname.is_empty())
}

/// The name servers and search domains in `/etc/resolv.conf`; `None` when it names no server.
#[must_use]
pub fn resolvers(text: &str) -> Option<ResolverSpecSpec> {
    let mut spec = ResolverSpecSpec::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => {
                // A zone after the address means something in its own namespace only.
                let address = words.next().and_then(|word| word.split('%').next());
                if let Some(ip) = address.and_then(|text| text.parse::<IpAddr>().ok()) {
                    spec.dns_servers.push(NetIp::from(ip));
                }
            }
            Some("search" | "domain") => {
                spec.search_domains = words.map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    Some(spec).filter(|spec| !spec.dns_servers.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_as_the_c_library_does() {
        let name = hostname("# set by the engine\n\n cp-1.example.org \n").unwrap();
        assert_eq!((name.hostname.as_str(), name.domainname.as_str()), ("cp-1", "example.org"));
        assert!(hostname(" \n").is_none());
        let text = "# x\nnameserver 10.5.0.1\nnameserver fe80::1%eth0\nnameserver bad\n\
                    domain old\nsearch a.b c.d\noptions ndots:5\n";
        let found = resolvers(text).unwrap();
        let servers: Vec<String> = found.dns_servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.5.0.1", "fe80::1"]);
        assert_eq!(found.search_domains, ["a.b", "c.d"]);
        assert!(resolvers("search a\n").is_none());
    }
}
