//! Validation.

use crate::scalar::Url;

/// What is wrong with the endpoint of a cluster, if anything.
pub(crate) fn endpoint_problem(url: &Url) -> Option<String> {
    if url.hostname().is_empty() {
        return Some("the host is missing".to_owned());
    }
    let host = url.hostname();
    if host.contains(':') && !url.host.starts_with('[') {
        return Some(format!("the IPv6 address {host:?} must stand in square brackets"));
    }
    let port = url.port();
    if (url.host.ends_with(':') || !port.is_empty()) && !port.parse::<u16>().is_ok_and(|p| p > 0) {
        return Some(format!("the port {port:?} must be from 1 to 65535"));
    }
    None
}
