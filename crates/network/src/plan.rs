//! What is to be done so that the kernel has what is wanted.

mod address;
mod link;
mod route;

pub use address::{AddressStep, addresses};
pub use link::{LinkStep, links};
pub use route::{RouteStep, routes};

use std::collections::BTreeMap;

use resource::network::LinkStatusSpec;

/// The links of the kernel by name; other names of a link stand for it too.
pub type Links = BTreeMap<String, LinkStatusSpec>;

/// The link with a name, another name or an alias.
#[must_use]
pub fn find_link<'a>(links: &'a Links, name: &str) -> Option<(&'a str, &'a LinkStatusSpec)> {
    if let Some((name, link)) = links.get_key_value(name) {
        return Some((name.as_str(), link));
    }
    links
        .iter()
        .find(|(_, link)| {
            link.names.alias == name || link.names.alt_names.iter().any(|other| other == name)
        })
        .map(|(name, link)| (name.as_str(), link))
}
