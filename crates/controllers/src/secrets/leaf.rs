//! When a leaf certificate must be issued anew, and until when it is good.

use std::net::IpAddr;

use pki::{Authority, Certificate, Identity, IssueError, Leaf, PrivateKey, Random, Validity};
use resource::secrets::CertSANSpec;
use resource::types::{Base64Bytes, NetIp, PemEncodedCertificateAndKey};

/// What a certificate must say, apart from its validity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Common name.
    pub common_name: String,
    /// Organizations.
    pub organizations: Vec<String>,
    /// DNS alternative names.
    pub dns_names: Vec<String>,
    /// Address alternative names.
    pub ips: Vec<IpAddr>,
}

impl Wanted {
    /// A server that goes by these names.
    #[must_use]
    pub fn server(sans: &CertSANSpec) -> Self {
        Self {
            common_name: sans.fqdn.clone(),
            organizations: Vec::new(),
            dns_names: sans.dns_names.clone(),
            ips: sans.ips.iter().filter_map(|NetIp(ip)| *ip).collect(),
        }
    }

    fn leaf(&self, usages: &[pki::ExtendedUsage], validity: Validity) -> Leaf {
        let leaf = Leaf::new(usages, validity)
            .common_name(self.common_name.clone())
            .names(self.dns_names.clone(), self.ips.clone());
        self.organizations.iter().cloned().fold(leaf, Leaf::organization)
    }
}

/// What to do about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeafPlan {
    /// It is good; look again at this moment (seconds since the epoch).
    Keep {
        /// Half of its life.
        until: i64,
    },
    /// It must be issued.
    Issue {
        /// Why, for the log.
        reason: &'static str,
    },
}

/// Judges the certificate that is there: it must be of this authority, say what is wanted, have its key, and be in
/// the first half of its life.
#[must_use]
pub fn plan(
    present: &PemEncodedCertificateAndKey,
    authority: &Certificate,
    wanted: &Wanted,
    now: i64,
) -> LeafPlan {
    let issue = |reason| LeafPlan::Issue { reason };
    if present.crt.0.is_empty() {
        return issue("there is none");
    }
    let (Some(certificate), Some(key)) = (text(&present.crt), text(&present.key)) else {
        return issue("the present one is not text");
    };
    let Ok(identity) = Identity::from_pem(certificate, key) else {
        return issue("the present one does not read");
    };
    let certificate = identity.certificate;
    let same = |a: &[String], b: &[String]| sorted(a) == sorted(b);
    if !certificate.is_signed_by(authority) {
        return issue("the authority has changed");
    }
    if certificate.common_name != wanted.common_name
        || !same(&certificate.organizations, &wanted.organizations)
        || !same(&certificate.dns_names, &wanted.dns_names)
        || sorted(&certificate.ips) != sorted(&wanted.ips)
    {
        return issue("the node's names or addresses have changed");
    }
    let until = certificate.validity.half();
    if now < certificate.validity.not_before {
        return issue("the clock was set back");
    }
    if now >= until {
        return issue("half of its life is over");
    }
    LeafPlan::Keep { until }
}

fn sorted<T: Ord + Clone>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort();
    list.dedup();
    list
}

fn text(bytes: &Base64Bytes) -> Option<&str> {
    std::str::from_utf8(&bytes.0).ok()
}

/// Issues what is wanted with a new Ed25519 key.
///
/// # Errors
/// When a key or a signature cannot be made.
pub fn issue(
    authority: &Authority,
    wanted: &Wanted,
    usage: pki::ExtendedUsage,
    now: i64,
    random: &mut dyn Random,
) -> Result<PemEncodedCertificateAndKey, IssueError> {
    let leaf = wanted.leaf(&[usage], Validity::starting(now, pki::NODE_LIFE));
    let identity = authority.issue_with(pki::Algorithm::Ed25519, &leaf, random)?;
    pair(&identity.certificate.to_pem(), &identity.key).map_err(IssueError::Key)
}

/// Issues what is wanted for a key that is there already, so that whoever knows the key recognizes it again.
///
/// # Errors
/// When a signature cannot be made or the key not be written.
pub fn issue_for(
    authority: &Authority,
    wanted: &Wanted,
    usage: pki::ExtendedUsage,
    key: &PrivateKey,
    now: i64,
    random: &mut dyn Random,
) -> Result<PemEncodedCertificateAndKey, IssueError> {
    let leaf = wanted.leaf(&[usage], Validity::starting(now, pki::NODE_LIFE));
    let public_key = key.public_key_der().map_err(IssueError::Sign)?;
    let certificate = authority.issue_for(&public_key, &leaf, random)?;
    pair(&certificate.to_pem(), key).map_err(IssueError::Key)
}

/// Issues what is wanted with a new key of the authority's own kind.
///
/// # Errors
/// When a key or a signature cannot be made.
pub fn issue_as(
    authority: &Authority,
    wanted: &Wanted,
    usages: &[pki::ExtendedUsage],
    life: i64,
    now: i64,
    random: &mut dyn Random,
) -> Result<PemEncodedCertificateAndKey, IssueError> {
    // A clock that runs a little behind the issuer's must not find a certificate of the future.
    let validity = Validity { not_before: now - MARGIN, not_after: now + life };
    let identity = authority.issue(&wanted.leaf(usages, validity), random)?;
    pair(&identity.certificate.to_pem(), &identity.key).map_err(IssueError::Key)
}

/// How long before its issue a certificate of Kubernetes is valid, in seconds.
const MARGIN: i64 = 60;

/// A certificate and its key as the resources hold them.
///
/// # Errors
/// When the key cannot be written.
pub fn pair(
    certificate: &str,
    key: &PrivateKey,
) -> Result<PemEncodedCertificateAndKey, pki::KeyError> {
    Ok(PemEncodedCertificateAndKey {
        crt: Base64Bytes(certificate.as_bytes().to_vec()),
        key: Base64Bytes(key.to_pem()?.into_bytes()),
    })
}

/// The authority that a pair of a resource makes; `None` when the node has no key of it.
///
/// # Errors
/// When certificate or key do not read.
pub fn authority(pair: &PemEncodedCertificateAndKey) -> Result<Option<Authority>, IssueError> {
    if pair.key.0.is_empty() {
        return Ok(None);
    }
    let lossy = |bytes: &Base64Bytes| String::from_utf8_lossy(&bytes.0).into_owned();
    Authority::from_pem(&lossy(&pair.crt), &lossy(&pair.key)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pki::{Algorithm, ExtendedUsage, System};

    const NOW: i64 = 1_800_000_000;

    fn ca() -> Authority {
        Authority::create(
            PrivateKey::generate(Algorithm::Ed25519).unwrap(),
            "talos",
            Validity::starting(NOW, pki::AUTHORITY_LIFE),
            &mut System,
        )
        .unwrap()
    }

    fn wanted() -> Wanted {
        Wanted {
            common_name: "node".into(),
            organizations: Vec::new(),
            dns_names: vec!["node".into(), "localhost".into()],
            ips: vec!["10.5.0.2".parse().unwrap(), "::1".parse().unwrap()],
        }
    }

    #[test]
    fn a_certificate_is_kept_for_the_first_half_of_its_life_and_while_nothing_changes() {
        let (ca, wanted) = (ca(), wanted());
        let check = |present: &PemEncodedCertificateAndKey,
                     ca: &Authority,
                     wanted: &Wanted,
                     now| { plan(present, ca.certificate(), wanted, now) };
        let none = PemEncodedCertificateAndKey::default();
        assert_eq!(check(&none, &ca, &wanted, NOW), LeafPlan::Issue { reason: "there is none" });
        let present = issue(&ca, &wanted, ExtendedUsage::ServerAuth, NOW, &mut System).unwrap();
        let half = NOW + pki::NODE_LIFE / 2;
        assert_eq!(check(&present, &ca, &wanted, NOW), LeafPlan::Keep { until: half });
        assert!(matches!(check(&present, &ca, &wanted, half - 1), LeafPlan::Keep { .. }));
        let reason = |plan| match plan {
            LeafPlan::Issue { reason } => reason,
            LeafPlan::Keep { .. } => "kept",
        };
        assert_eq!(reason(check(&present, &ca, &wanted, half)), "half of its life is over");
        assert_eq!(reason(check(&present, &ca, &wanted, NOW - 1)), "the clock was set back");
        assert_eq!(
            reason(check(&present, &super::tests::ca(), &wanted, NOW)),
            "the authority has changed"
        );
        let mut moved = wanted.clone();
        moved.ips.reverse();
        assert!(
            matches!(check(&present, &ca, &moved, NOW), LeafPlan::Keep { .. }),
            "order is nothing"
        );
        moved.ips.pop();
        assert_eq!(
            reason(check(&present, &ca, &moved, NOW)),
            "the node's names or addresses have changed"
        );
    }

    #[test]
    fn a_worker_has_no_authority_to_issue_with() {
        let pair = PemEncodedCertificateAndKey {
            crt: ca().certificate_pem().into(),
            ..PemEncodedCertificateAndKey::default()
        };
        assert!(authority(&pair).unwrap().is_none());
    }
}
