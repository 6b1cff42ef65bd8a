//! The endpoint argument: a URL with the scheme https.

use crate::scalar::Url;

/// Why a text is not the endpoint of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("failed to parse the cluster endpoint URL: {0}")]
    Url(crate::scalar::UrlError),
    /// A host without a scheme.
    #[error("no scheme and port specified for the cluster endpoint URL\ntry: {0:?}")]
    NoScheme(String),
    /// Another scheme than https.
    #[error(
        "the control plane endpoint URL should have scheme https://, {found:?} has {scheme:?}\ntry: {suggestion:?}"
    )]
    Scheme {
        /// The text.
        found: String,
        /// Its scheme.
        scheme: String,
        /// What would do.
        suggestion: String,
    },
    /// The host or the port is no good.
    #[error("the cluster endpoint URL {found:?} is invalid: {reason}")]
    Host {
        /// The text.
        found: String,
        /// What is wrong.
        reason: String,
    },
}

/// Parses the endpoint argument of a generation.
///
/// # Errors
/// Says what to write instead.
pub fn parse_endpoint(text: &str) -> Result<Url, EndpointError> {
    let bare = |host: &str| {
        let host = if host.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let port =
            host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        let port = port && !host.ends_with(']');
        if port { format!("https://{host}") } else { format!("https://{host}:6443") }
    };
    if !text.contains("://") {
        return Err(EndpointError::NoScheme(bare(text)));
    }
    let url: Url = text.parse().map_err(EndpointError::Url)?;
    if url.scheme != "https" {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        return Err(EndpointError::Scheme {
            found: text.to_owned(),
            scheme: url.scheme,
            suggestion: bare(rest),
        });
    }
    match crate::validate::endpoint_problem(&url) {
        Some(reason) => Err(EndpointError::Host { found: text.to_owned(), reason }),
        None => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_endpoint;

    #[test]
    fn says_what_to_write() {
        for (text, want) in [
            ("10.0.0.1", "https://10.0.0.1:6443"),
            ("10.0.0.1:6443", "https://10.0.0.1:6443"),
            ("fd00::1", "https://[fd00::1]:6443"),
            ("http://host:80", "https://host:80"),
        ] {
            let error = parse_endpoint(text).expect_err("refused").to_string();
            assert!(error.contains(&format!("{want:?}")), "{text}: {error}");
        }
        assert!(parse_endpoint("https://10.0.0.1:6443").is_ok());
        assert!(parse_endpoint("https://:6443").is_err());
        assert!(parse_endpoint("https://host:99999").is_err());
    }
}
