//! Kinds about images and the container runtime.

use config_derive::Section;

use super::kubernetes::CertificateAndKey;
use crate::scalar::Url;
use crate::{Free, List};

/// Mirrors of an image registry.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "RegistryMirrorConfig", group = "registry", since = "1.12", named)]
pub struct RegistryMirrorConfig {
    /// The host of the registry; `*` stands for every host without a document.
    #[field(keep, required)]
    pub name: String,
    /// The mirrors, tried in order.
    pub endpoints: List<RegistryEndpoint>,
    /// Does not ask the registry itself when no mirror answers.
    #[field(default = "false")]
    pub skip_fallback: Option<bool>,
}

/// A mirror.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RegistryEndpoint {
    /// The URL of the mirror.
    #[field(required)]
    pub url: Url,
    /// Takes the path of the URL as it is.
    #[field(default = "false")]
    pub override_path: Option<bool>,
}

/// Credentials of an image registry, of one style at most.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "RegistryAuthConfig",
    group = "registry",
    since = "1.12",
    effect = "the container runtime uses it after the next start of the machine",
    named
)]
pub struct RegistryAuthConfig {
    /// The host of the registry.
    #[field(keep, required)]
    pub name: String,
    /// The user.
    pub username: String,
    /// The password.
    #[field(secret)]
    pub password: String,
    /// User and password as base64.
    #[field(secret)]
    pub auth: String,
    /// A token.
    #[field(secret)]
    pub identity_token: String,
}

/// Trust of an image registry.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "RegistryTLSConfig", group = "registry", since = "1.12", named)]
pub struct RegistryTlsConfig {
    /// The host of the registry.
    #[field(keep, required)]
    pub name: String,
    /// The certificate that this machine shows.
    pub client_identity: Option<CertificateAndKey>,
    /// The authority of the registry's certificate, as PEM.
    pub ca: String,
    /// Takes any certificate.
    #[field(default = "false")]
    pub insecure_skip_verify: Option<bool>,
}

/// The image cache of this machine.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ImageCacheConfig", group = "registry", since = "1.14")]
pub struct ImageCacheConfig {
    /// The cache on the local disk.
    pub local: LocalImageCache,
}

/// The image cache on the local disk.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct LocalImageCache {
    /// Takes images from the cache first.
    #[field(default = "false")]
    pub enabled: Option<bool>,
}

/// A part of the container runtime's configuration.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "CRICustomizationConfig", group = "registry", since = "1.14", named)]
pub struct CriCustomizationConfig {
    /// A name; parts are merged in the order of their names.
    #[field(keep, required)]
    pub name: String,
    /// The part, in TOML.
    pub content: String,
}

/// Changes to the default runtime specification of containers.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "CRIBaseRuntimeSpecConfig", group = "registry", since = "1.14")]
pub struct CriBaseRuntimeSpecConfig {
    /// The keys of the specification that change.
    #[field(replace)]
    pub overrides: Free,
}

/// Which images may run, by signature.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ImageVerificationConfig", group = "registry", since = "1.13")]
pub struct ImageVerificationConfig {
    /// The rules; the first that matches an image decides.
    #[field(keyed)]
    pub rules: List<ImageRule>,
}

/// A rule about images.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ImageRule {
    /// Pattern of the image name, with its host and without tag and digest.
    #[field(required)]
    pub image: String,
    /// Lets the image run unverified.
    #[field(default = "false")]
    pub skip: Option<bool>,
    /// Refuses the image.
    #[field(default = "false", since = "1.14")]
    pub deny: Option<bool>,
    /// Wants a signature by an identity.
    pub keyless: Option<KeylessVerifier>,
    /// Wants a signature by a key.
    pub public_key: Option<PublicKeyVerifier>,
}

impl crate::list::Keyed for ImageRule {
    fn same_key(&self, patch: &Self) -> bool {
        self.image == patch.image
    }

    fn take(&mut self, patch: &Self) -> Result<(), crate::merge::MergeError> {
        self.clone_from(patch);
        Ok(())
    }
}

/// A signature by an identity.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KeylessVerifier {
    /// Who vouches for the identity.
    #[field(required)]
    pub issuer: String,
    /// The identity.
    pub subject: String,
    /// Pattern of the identity.
    pub subject_regex: String,
}

/// A signature by a key.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct PublicKeyVerifier {
    /// The certificate or public key, as PEM.
    #[field(required)]
    pub certificate: String,
}
