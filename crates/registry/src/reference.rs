//! Names of images as a pod or a machine configuration writes them: `host/repository:tag`.
//!
//! Only full names are accepted: the short forms that silently mean another registry are not.

use std::fmt;
use std::str::FromStr;

/// An image name with its registry, repository and tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    host: String,
    repository: String,
    tag: String,
}

/// Why a text is not a full image name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no `/` that ends the registry's host.
    #[error("image name `{text}` has no registry host; write it in full, as host/repository:tag")]
    Host {
        /// The text as it was given.
        text: String,
    },
    /// There is no `:` that begins the tag.
    #[error("image name `{text}` has no tag; write it in full, as host/repository:tag")]
    Tag {
        /// The text as it was given.
        text: String,
    },
    /// A part holds a character that a registry's path cannot.
    #[error("image name `{text}` holds `{character}`, which no registry accepts there")]
    Character {
        /// The text as it was given.
        text: String,
        /// The first offending character.
        character: char,
    },
}

impl Reference {
    /// The registry's host, with its port if it has one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.host, self.repository, self.tag)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (host, rest) = text
            .split_once('/')
            .filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost")
            .ok_or_else(|| ReferenceError::Host { text: text.to_owned() })?;
        let (repository, tag) = rest
            .rsplit_once(':')
            .filter(|(repository, tag)| !repository.is_empty() && !tag.is_empty())
            .ok_or_else(|| ReferenceError::Tag { text: text.to_owned() })?;
        let refused = |c: &char| !(c.is_ascii_alphanumeric() || "._-/".contains(*c));
        let host_refused = |c: &char| !(c.is_ascii_alphanumeric() || ".-:".contains(*c));
        let offending = host
            .chars()
            .find(host_refused)
            .or_else(|| repository.chars().find(refused))
            .or_else(|| tag.chars().find(|c| refused(c) || *c == '/'));
        if let Some(character) = offending {
            return Err(ReferenceError::Character { text: text.to_owned(), character });
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), tag: tag.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_full_name() {
        let name: Reference = "registry.k8s.io/coredns/coredns:v1.14.7".parse().unwrap();
        assert_eq!(
            (name.host(), name.repository(), name.tag()),
            ("registry.k8s.io", "coredns/coredns", "v1.14.7")
        );
        assert_eq!(name.to_string(), "registry.k8s.io/coredns/coredns:v1.14.7");
        let port: Reference = "localhost:5000/a:1".parse().unwrap();
        assert_eq!((port.host(), port.repository(), port.tag()), ("localhost:5000", "a", "1"));
    }

    #[test]
    fn refuses_short_and_broken_names() {
        for (bad, expected) in [
            ("nginx:1", "no registry host"),
            ("library/nginx:1", "no registry host"),
            ("ghcr.io/a", "no tag"),
            ("ghcr.io/:1", "no tag"),
            ("ghcr.io/a b:1", "holds ` `"),
            ("ghcr.io/a:1/2", "holds `/`"),
        ] {
            let error = bad.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }
}
