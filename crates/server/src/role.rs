//! Who a caller is allowed to be: role names as they stand in certificates and metadata, and what they grant.
//!
//! A set keeps every name it was given, since names unknown here may mean something to another node; only the
//! known ones grant anything. Must never: decide about a method (see [`crate::method`]).

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The metadata key under which a set of roles is handed over.
pub const HEADER: HeaderName = HeaderName::from_static("talos-role");

bitflags::bitflags! {
    /// What a set of roles grants.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Grants: u8 {
        /// `os:admin`: everything.
        const ADMIN = 1;
        /// `os:operator`: look, and run the machine.
        const OPERATOR = 1 << 1;
        /// `os:reader`: look.
        const READER = 1 << 2;
        /// `os:etcd:backup`: etcd snapshots and status.
        const ETCD_BACKUP = 1 << 3;
        /// `os:impersonator`: hand over the roles of another caller.
        const IMPERSONATOR = 1 << 4;
        /// `os:image:verifier`: verify images.
        const IMAGE_VERIFIER = 1 << 5;
        /// `os:meta:writer`: write META keys.
        const META_WRITER = 1 << 6;
    }
}

const NAMES: [(&str, Grants); 7] = [
    ("os:admin", Grants::ADMIN),
    ("os:operator", Grants::OPERATOR),
    ("os:reader", Grants::READER),
    ("os:etcd:backup", Grants::ETCD_BACKUP),
    ("os:impersonator", Grants::IMPERSONATOR),
    ("os:image:verifier", Grants::IMAGE_VERIFIER),
    ("os:meta:writer", Grants::META_WRITER),
];

/// A set of roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Sorted, without repetition, in the form they travel.
    names: Vec<HeaderValue>,
    bits: u8,
}

impl Roles {
    /// Reads role names: spaces around them are dropped, empty ones too.
    #[must_use]
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut roles = Self::default();
        for name in names {
            let name = name.trim_matches(' ');
            // A name that cannot travel as metadata cannot be known here either.
            let Ok(value) = HeaderValue::from_str(name) else { continue };
            if name.is_empty() {
                continue;
            }
            if let Some((_, grant)) = NAMES.iter().find(|(known, _)| *known == name) {
                roles.bits |= grant.bits();
            }
            if let Err(place) =
                roles.names.binary_search_by(|have| have.as_bytes().cmp(name.as_bytes()))
            {
                roles.names.insert(place, value);
            }
        }
        roles
    }

    /// The set with exactly these grants.
    #[must_use]
    pub fn of(grants: Grants) -> Self {
        Self::parse(
            NAMES.iter().filter(|(_, grant)| grants.contains(*grant)).map(|(name, _)| *name),
        )
    }

    /// The set that a request's metadata claims; `None` when it claims nothing.
    #[must_use]
    pub fn claimed(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(HEADER).iter().peekable();
        values.peek()?;
        Some(Self::parse(values.filter_map(|value| value.to_str().ok())))
    }

    /// What the set grants.
    #[must_use]
    pub fn grants(&self) -> Grants {
        Grants::from_bits_truncate(self.bits)
    }

    /// The names that both this set has and `allowed` grants.
    #[must_use]
    pub fn limited_to(&self, allowed: Grants) -> Self {
        Self::of(self.grants() & allowed)
    }

    /// The role names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| name.to_str().ok())
    }

    /// Puts the set into a request's metadata in place of whatever stands there.
    pub fn hand_over(&self, headers: &mut HeaderMap) {
        headers.remove(HEADER);
        for name in &self.names {
            headers.append(HEADER, name.clone());
        }
    }
}

/// The roles of a caller known by certificate: those of the certificate, unless it may hand over others and does.
#[must_use]
pub fn of_caller(certificate: &Roles, headers: &HeaderMap) -> Roles {
    if certificate.grants().contains(Grants::IMPERSONATOR)
        && let Some(claimed) = Roles::claimed(headers)
    {
        return claimed;
    }
    certificate.clone()
}

/// The roles of a caller without a certificate: a reader, or over the management tunnel an administrator.
#[must_use]
pub fn of_anonymous(peer: IpAddr) -> Roles {
    Roles::of(if is_management(peer) { Grants::ADMIN } else { Grants::READER })
}

/// Whether an address lies in the management tunnel's prefix, fdae:41e4:649b:9303::/64.
fn is_management(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V6(address) => address.segments().starts_with(&[0xfdae, 0x41e4, 0x649b, 0x9303]),
        IpAddr::V4(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn names_are_trimmed_kept_and_only_known_ones_grant() {
        let roles = Roles::parse([" os:reader ", "", "  ", "acme:boss", "os:reader"]);
        assert_eq!(roles.grants(), Grants::READER);
        assert_eq!(roles.names().collect::<Vec<_>>(), ["acme:boss", "os:reader"]);
        assert_eq!(Roles::parse(["os:Admin", "admin", "os:admin\n"]).grants(), Grants::empty());
    }

    #[test]
    fn only_an_impersonator_hands_over_roles() {
        let apid = Roles::parse(["os:impersonator"]);
        let reader = Roles::parse(["os:reader"]);
        assert_eq!(of_caller(&apid, &headers(&["os:reader", "x"])).grants(), Grants::READER);
        assert_eq!(of_caller(&reader, &headers(&["os:admin"])), reader);
        assert_eq!(of_caller(&apid, &HeaderMap::new()), apid);
        // An impersonator that claims an empty set gets an empty set, not its own.
        assert_eq!(of_caller(&apid, &headers(&[""])).grants(), Grants::empty());
    }

    #[test]
    fn a_caller_without_certificate_is_a_reader_unless_it_comes_through_the_tunnel() {
        for (peer, grants) in [
            ("10.5.0.1", Grants::READER),
            ("fdae:41e4:649b:9303:1::1", Grants::ADMIN),
            ("fdae:41e4:649b:9304::1", Grants::READER),
            ("::ffff:10.0.0.1", Grants::READER),
        ] {
            assert_eq!(of_anonymous(peer.parse().unwrap()).grants(), grants, "{peer}");
        }
    }

    #[test]
    fn handing_over_replaces_what_stood_there() {
        let mut metadata = headers(&["os:admin"]);
        Roles::parse(["os:reader", "x"]).hand_over(&mut metadata);
        assert_eq!(Roles::claimed(&metadata), Some(Roles::parse(["x", "os:reader"])));
    }
}
