//! The container runtime: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use std::collections::BTreeMap;

use crate::enums::{ImageCacheCopyStatus, ImageCacheStatus};
use crate::types::{Base64Bytes, Object, PemEncodedCertificateAndKey};
use crate::{Message, Spec};

/// State and roots of the local image cache; ids: `image-cache`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ImageCacheConfigs.cri.talos.dev",
    namespace = "cri",
    columns = [("Status", "{.status}"), ("CopyStatus", "{.copyStatus}"), ("Roots", "{.roots}")],
)]
pub struct ImageCacheConfigSpec {
    #[field(1)]
    pub status: ImageCacheStatus,
    #[field(3, yaml = "copyStatus")]
    pub copy_status: ImageCacheCopyStatus,
    #[field(2)]
    pub roots: Vec<String>,
}

/// Seccomp profile to write for the CRI.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "SeccompProfiles.cri.talos.dev", namespace = "cri")]
pub struct SeccompProfileSpec {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub value: Object,
}

/// OCI base runtime spec fragment; ids: `default` `overrides`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "BaseRuntimeSpecConfigs.cri.talos.dev", namespace = "cri")]
pub struct BaseRuntimeSpecConfigSpec {
    #[field(1, inline)]
    pub object: Object,
}

/// Containerd CRI config fragment.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "CustomizationConfigs.cri.talos.dev", namespace = "cri", sensitive)]
pub struct CustomizationConfigSpec {
    #[field(1)]
    pub content: String,
}

/// Registry mirrors, auth, TLS (id registries); ids: `registries`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "RegistryConfigs.cri.talos.dev", namespace = "cri", sensitive)]
pub struct RegistriesConfigSpec {
    #[field(1, omit)]
    pub mirrors: BTreeMap<String, RegistryMirrorConfig>,
    #[field(2, omit)]
    pub auths: BTreeMap<String, RegistryAuthConfig>,
    #[field(3, omit)]
    pub tls: BTreeMap<String, RegistryTLSConfig>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct RegistryAuthConfig {
    #[field(1, omit)]
    pub username: String,
    #[field(2, omit)]
    pub password: String,
    #[field(3, omit)]
    pub auth: String,
    #[field(4, yaml = "identityToken", omit)]
    pub identity_token: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct RegistryEndpointConfig {
    #[field(1)]
    pub endpoint: String,
    #[field(2, yaml = "overridePath")]
    pub override_path: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct RegistryMirrorConfig {
    #[field(1)]
    pub endpoints: Vec<RegistryEndpointConfig>,
    #[field(3, yaml = "skipFallback", omit)]
    pub skip_fallback: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct RegistryTLSConfig {
    #[field(1, yaml = "clientIdentity", omit)]
    pub client_identity: Option<PemEncodedCertificateAndKey>,
    #[field(2, omit)]
    pub ca: Base64Bytes,
    #[field(3, yaml = "insecureSkipVerify", omit)]
    pub insecure_skip_verify: bool,
}
