//! Conflicts between documents that no configuration may have.

use std::collections::{HashMap, HashSet};

use crate::config::Config;
use crate::document::Document;
use crate::error::ConflictError;
use crate::kinds::network::VethConfig;

/// Kinds of which only one may have a given name.
const EXCLUSIVE: &[&[&str]] = &[
    &[
        "BondConfig",
        "BridgeConfig",
        "DummyLinkConfig",
        "LinkConfig",
        "VethConfig",
        "VLANConfig",
        "VRFConfig",
        "WireguardConfig",
    ],
    &["ExistingVolumeConfig", "UserVolumeConfig"],
    &["HCloudVIPConfig", "Layer2VIPConfig"],
];

/// The kinds that configure a link of their name.
pub(crate) const LINKS: &[&str] = EXCLUSIVE[0];

/// The conflicts of a configuration: each document against those before it that share a name or a link
/// with it.
pub(crate) fn conflicts(config: &Config) -> Vec<ConflictError> {
    let mut found = Vec::new();
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    let mut takers: HashMap<&str, Vec<&dyn Document>> = HashMap::new();
    for document in config.documents.iter().map(AsRef::as_ref) {
        let (kind, name) = (document.info().kind, document.name());
        if !seen.insert((kind, name)) {
            let (kind, name) = (kind.to_owned(), name.to_owned());
            found.push(ConflictError::Duplicate { kind, name });
        }
        if !EXCLUSIVE.iter().any(|kinds| kinds.contains(&kind)) {
            continue;
        }
        let mut told: HashSet<(&str, &str)> = HashSet::new();
        for claim in claims(document) {
            let others = takers.entry(claim).or_default();
            for other in others.iter() {
                if told.insert((other.info().kind, other.name())) {
                    found.extend(pair(*other, document));
                }
            }
            others.push(document);
        }
    }
    found
}

/// The names that a document takes: its own, and that of the other end of a pair of links.
fn claims(document: &dyn Document) -> Vec<&str> {
    let peer = document.as_any().downcast_ref::<VethConfig>().map(|veth| veth.peer.name.as_str());
    let mut names = vec![document.name()];
    names.extend(peer.filter(|name| !name.is_empty() && *name != document.name()));
    names
}

fn shown(document: &dyn Document) -> String {
    format!("{}/{}", document.info().kind, document.name())
}

fn pair(first: &dyn Document, second: &dyn Document) -> Option<ConflictError> {
    let (a, b) = (first.info().kind, second.info().kind);
    if first.name() == second.name() {
        if a == b {
            return None;
        }
        if EXCLUSIVE.iter().any(|kinds| kinds.contains(&a) && kinds.contains(&b)) {
            let (first, second) = (shown(first), shown(second));
            return Some(ConflictError::Documents { first, second });
        }
    }
    if !LINKS.contains(&a) || !LINKS.contains(&b) {
        return None;
    }
    let theirs = claims(second);
    let link = claims(first).into_iter().find(|link| !link.is_empty() && theirs.contains(link))?;
    let link = link.to_owned();
    Some(ConflictError::Links { first: shown(first), second: shown(second), link })
}
