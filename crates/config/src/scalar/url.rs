//! URLs, read as permissively as the contract reads them and kept apart by component, because a
//! patch merges them by component.

use std::fmt;
use std::str::FromStr;

use crate::field::Field;
use crate::merge::MergeError;

/// A URL; relative references are URLs too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Url {
    /// The scheme in lower case, without the colon.
    pub scheme: String,
    /// What follows the scheme of a URL without slashes, such as `mailto:`.
    pub opaque: String,
    /// The user information before `@`.
    pub user: String,
    /// The host with its port, IPv6 addresses in brackets.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The fragment, without the hash sign.
    pub fragment: String,
}

/// Why a text is not a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse {text:?}: {reason}")]
pub struct UrlError {
    /// The text.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

impl Url {
    /// The host without port and brackets.
    #[must_use]
    pub fn hostname(&self) -> &str {
        split_port(&self.host).0
    }

    /// The port as it was written, or nothing.
    #[must_use]
    pub fn port(&self) -> &str {
        split_port(&self.host).1
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// Splits `host:port`; the brackets of an IPv6 address are taken off.
fn split_port(host: &str) -> (&str, &str) {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    (name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name), port)
}

/// The scheme before the first colon, when there is one.
fn scheme(text: &str) -> Result<(&str, &str), &'static str> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme"),
            ':' => return Ok((text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or(""))),
            _ => break,
        }
    }
    Ok(("", text))
}

fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let end = rest.rfind(']').ok_or("missing ']' in host")?;
            (rest.get(..end).unwrap_or(""), rest.get(end + 1..).unwrap_or(""))
        }
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let digits = port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    if !port.is_empty() && !digits {
        return Err(format!("invalid port {port:?} after host"));
    }
    let bad =
        |c: char| c == ' ' || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    match name.chars().find(|c| bad(*c)) {
        Some(c) => Err(format!("invalid character {:?} in host name", c.to_string())),
        None => Ok(()),
    }
}

fn check_escapes(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('%') {
        let digits = text.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            let shown: String = text
                .chars()
                .skip(text.get(..at).map_or(0, |t| t.chars().count()))
                .take(3)
                .collect();
            return Err(format!("invalid URL escape {shown:?}"));
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<Url, String> {
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    url.fragment = fragment.to_owned();
    if text == "*" {
        url.path = text.to_owned();
        return Ok(url);
    }
    let (name, rest) = scheme(text)?;
    url.scheme = name.to_ascii_lowercase();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    url.query = query.to_owned();
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_owned();
            return Ok(url);
        }
        let segment = rest.split('/').next().unwrap_or_default();
        if segment.contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let path = match rest.strip_prefix("//") {
        Some(rest) if !url.scheme.is_empty() || !rest.starts_with('/') => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
            check_host(host)?;
            url.user = user.to_owned();
            url.host = host.to_owned();
            path
        }
        _ => rest,
    };
    check_escapes(path)?;
    url.path = path.to_owned();
    Ok(url)
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        parse(text).map_err(|reason| UrlError { text: text.to_owned(), reason })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            if !self.scheme.is_empty() || !self.host.is_empty() || !self.user.is_empty() {
                let slashes =
                    !self.host.is_empty() || !self.path.is_empty() || !self.user.is_empty();
                if slashes {
                    f.write_str("//")?;
                }
                if !self.user.is_empty() {
                    write!(f, "{}@", self.user)?;
                }
                f.write_str(&self.host)?;
                if !self.path.is_empty() && !self.path.starts_with('/') && !self.host.is_empty() {
                    f.write_str("/")?;
                }
            }
            let is_bare = self.scheme.is_empty() && self.host.is_empty() && self.user.is_empty();
            // Such a path would be read as a host (RFC 3986, 4.2); a dot in front of it means nothing.
            if is_bare && self.path.starts_with("//") && !self.path.starts_with("///") {
                f.write_str("/.")?;
            }
            for c in self.path.chars() {
                match c {
                    ' ' => f.write_str("%20")?,
                    '"' => f.write_str("%22")?,
                    c => write!(f, "{c}")?,
                }
            }
        } else {
            f.write_str(&self.opaque)?;
        }
        if !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        if !self.fragment.is_empty() {
            write!(f, "#{}", self.fragment)?;
        }
        Ok(())
    }
}

impl Field for Url {
    fn decode(
        &mut self,
        node: &yaml::Node,
        cx: &mut crate::decode::Decoder,
    ) -> Option<yaml::Value> {
        match node.scalar() {
            Some(scalar) if scalar.resolved() == yaml::Resolved::Null => {}
            Some(scalar) => match scalar.text.parse() {
                Ok(value) => *self = value,
                Err(error) => cx.refused(node, error),
            },
            None => cx.mismatch(node, "URL"),
        }
        None
    }

    fn encode(&self) -> yaml::Value {
        yaml::Value::String(self.to_string())
    }

    fn is_empty(&self) -> bool {
        self.is_unset()
    }

    // Component by component: a patch without a path keeps the path that is there.
    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        let pairs = [
            (&mut self.scheme, &right.scheme),
            (&mut self.opaque, &right.opaque),
            (&mut self.user, &right.user),
            (&mut self.host, &right.host),
            (&mut self.path, &right.path),
            (&mut self.query, &right.query),
            (&mut self.fragment, &right.fragment),
        ];
        for (left, right) in pairs {
            if !right.is_empty() {
                left.clone_from(right);
            }
        }
        Ok(())
    }

    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge(right)
    }

    // What can be secret in a URL is its password and its query.
    fn conceal(&mut self, replacement: &str) {
        for part in [&mut self.user, &mut self.query] {
            if !part.is_empty() {
                replacement.clone_into(part);
            }
        }
    }

    fn shape() -> crate::field::Shape {
        crate::field::Shape::Format("URL")
    }
}

#[cfg(test)]
mod tests {
    use super::Url;
    use crate::field::Field;

    #[test]
    fn round_trips() {
        for text in [
            "https://10.0.0.1:6443",
            "https://[fd00::1]:6443/path?query=1#fragment",
            "https://user:pass@host/",
            "relative/path",
            "/absolute",
            "tcp://1.2.3.4:5000/",
            "mailto:someone",
            "//host/path",
            "",
        ] {
            assert_eq!(text.parse::<Url>().map(|u| u.to_string()).as_deref(), Ok(text), "{text}");
        }
    }

    #[test]
    fn a_path_is_not_taken_for_a_host() {
        let url: Url = "//@//@".parse().expect("url");
        assert_eq!((url.host.as_str(), url.path.as_str()), ("", "//@"));
        assert_eq!(url.to_string(), "/.//@");
        let again: Url = url.to_string().parse().expect("url");
        assert_eq!((again.host.as_str(), again.to_string()), ("", url.to_string()));
        assert_eq!("///a".parse::<Url>().map(|url| url.to_string()).as_deref(), Ok("///a"));
    }

    #[test]
    fn components() {
        let url: Url = "HTTPS://[fd00::1]:6443/a".parse().expect("url");
        assert_eq!((url.scheme.as_str(), url.hostname(), url.port()), ("https", "fd00::1", "6443"));
        let url: Url = "https://host".parse().expect("url");
        assert_eq!((url.hostname(), url.port()), ("host", ""));
    }

    #[test]
    fn refuses() {
        for text in
            ["1.2.3.4:6443", ":x", "https://host:port", "https://[::1", "https://a b", "/%zz"]
        {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_patch_merges_by_component() {
        let mut url: Url = "https://127.0.0.1:6643/".parse().expect("url");
        url.merge(&"https://10.0.0.1".parse().expect("url")).expect("merges");
        assert_eq!(url.to_string(), "https://10.0.0.1/");
    }
}
