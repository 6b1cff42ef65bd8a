//! `machine.registries`, where images come from.

use config_derive::Section;

use crate::scalar::{Base64, Identity};
use crate::{List, Map};

/// Where images come from.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Registries {
    /// Mirrors by registry host; `*` stands for every host without an entry.
    #[field(instead = "RegistryMirrorConfig")]
    pub mirrors: Map<Option<RegistryMirror>>,
    /// Trust and credentials by registry host.
    #[field(instead = "RegistryTLSConfig, RegistryAuthConfig")]
    pub config: Map<Option<RegistrySettings>>,
}

/// The mirrors of a registry.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RegistryMirror {
    /// The mirrors, tried in order.
    pub endpoints: List<String>,
    /// Takes the path of an endpoint as it is.
    #[field(default = "false")]
    pub override_path: Option<bool>,
    /// Does not ask the registry itself when no mirror answers.
    #[field(default = "false")]
    pub skip_fallback: Option<bool>,
}

/// Trust and credentials of a registry.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RegistrySettings {
    /// Trust.
    #[field(instead = "RegistryTLSConfig")]
    pub tls: Option<RegistryTls>,
    /// Credentials.
    #[field(
        instead = "RegistryAuthConfig",
        effect = "the container runtime uses it after the next start of the machine"
    )]
    pub auth: Option<RegistryAuth>,
}

/// Trust of a registry.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RegistryTls {
    /// The certificate that this machine shows.
    pub client_identity: Option<Identity>,
    /// The authority of the registry's certificate.
    pub ca: Base64,
    /// Takes any certificate.
    #[field(default = "false")]
    pub insecure_skip_verify: Option<bool>,
}

/// Credentials of a registry.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RegistryAuth {
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
