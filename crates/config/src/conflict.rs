//! Conflicts between documents that no configuration may have.

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

/// The conflicts of a configuration.
pub(crate) fn conflicts(config: &Config) -> Vec<ConflictError> {
    let mut found = Vec::new();
    for (number, document) in config.documents.iter().enumerate() {
        for earlier in config.documents.iter().take(number) {
            found.extend(pair(earlier.as_ref(), document.as_ref()));
        }
    }
    found
}

fn shown(document: &dyn Document) -> String {
    format!("{}/{}", document.info().kind, document.name())
}

fn pair(first: &dyn Document, second: &dyn Document) -> Option<ConflictError> {
    let (a, b) = (first.info().kind, second.info().kind);
    if first.name() == second.name() {
        if a == b {
            let (kind, name) = (b.to_owned(), second.name().to_owned());
            return Some(ConflictError::Duplicate { kind, name });
        }
        if EXCLUSIVE.iter().any(|kinds| kinds.contains(&a) && kinds.contains(&b)) {
            let (first, second) = (shown(first), shown(second));
            return Some(ConflictError::Documents { first, second });
        }
    }
    let claims = |document: &dyn Document| -> Vec<String> {
        let peer =
            document.as_any().downcast_ref::<VethConfig>().map(|veth| veth.peer.name.clone());
        let own = LINKS.contains(&document.info().kind).then(|| document.name().to_owned());
        own.into_iter().chain(peer).filter(|name| !name.is_empty()).collect()
    };
    let (ours, theirs) = (claims(first), claims(second));
    let link = ours.into_iter().find(|link| theirs.contains(link))?;
    Some(ConflictError::Links { first: shown(first), second: shown(second), link })
}
