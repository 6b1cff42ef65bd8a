//! Image verification: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::{Message, Spec, Timestamp};

/// Image signature policy rule (ordered ids).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ImageVerificationRules.security.talos.dev",
    namespace = "security",
    columns = [("Pattern", "{.imagePattern}"), ("Skip", "{.skip}"), ("Deny", "{.deny}")],
)]
pub struct ImageVerificationRuleSpec {
    #[field(2, yaml = "imagePattern", omit)]
    pub image_pattern: String,
    #[field(3)]
    pub skip: bool,
    #[field(4)]
    pub deny: bool,
    #[field(5, yaml = "keylessVerifier", omit)]
    pub keyless_verifier: Option<ImageKeylessVerifierSpec>,
    #[field(6, yaml = "publicKeyVerifier", omit)]
    pub public_key_verifier: Option<ImagePublicKeyVerifierSpec>,
}

/// Sigstore trusted root; ids: `trusted_root.json`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "TUFTrustedRoots.security.talos.dev",
    namespace = "security",
    columns = [("Last Refresh", "{.lastRefreshTime}")],
)]
pub struct TUFTrustedRootSpec {
    #[field(1, yaml = "lastRefreshTime", omit)]
    pub last_refresh_time: Timestamp,
    #[field(2, yaml = "jsonData", omit)]
    pub json_data: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ImageKeylessVerifierSpec {
    #[field(1)]
    pub issuer: String,
    #[field(2, omit)]
    pub subject: String,
    #[field(3, yaml = "subjectRegex", omit)]
    pub subject_regex: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ImagePublicKeyVerifierSpec {
    #[field(1)]
    pub certificate: String,
}
