//! Where to dial: `host`, `host:port`, `[v6]:port` or an `https://` URL.

use std::{fmt, net::IpAddr, str::FromStr};

/// The port of the API.
const API_PORT: u16 = 50_000;
/// The port of a URL that names none.
const HTTPS_PORT: u16 = 443;

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading the endpoint {text:?}: {reason}; write HOST, HOST:PORT or https://HOST[:PORT]")]
pub struct EndpointError {
    text: String,
    reason: &'static str,
}

/// Something to dial.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = |reason| EndpointError { text: text.to_owned(), reason };
        let (rest, default) = match text.split_once("://") {
            Some(("https", rest)) => (rest.split('/').next().unwrap_or(rest), HTTPS_PORT),
            Some(_) => return Err(failed("its scheme is not https")),
            None => (text, API_PORT),
        };
        let (host, port) = if let Some(bracketed) = rest.strip_prefix('[') {
            let (host, tail) =
                bracketed.split_once(']').ok_or_else(|| failed("a bracket is not closed"))?;
            (host, tail.strip_prefix(':'))
        } else if rest.parse::<IpAddr>().is_ok() {
            (rest, None)
        } else {
            match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let port = match port {
            Some(port) => {
                port.parse().map_err(|_| failed("its port is not a number up to 65535"))?
            }
            None => default,
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        if host.is_empty() || !host.chars().all(allowed) {
            return Err(failed("its host is not a name or an address"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, expected) in [
            ("10.5.0.2", "10.5.0.2:50000"),
            ("node-1:6000", "node-1:6000"),
            ("fd00::2", "[fd00::2]:50000"),
            ("[fd00::2]:6000", "[fd00::2]:6000"),
            ("https://api.example.org", "api.example.org:443"),
            ("https://api.example.org:8443/x", "api.example.org:8443"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "http://a", "a:99999", "[fd00::2", "a b", "https://"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
