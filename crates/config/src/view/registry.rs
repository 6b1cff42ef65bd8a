//! Where images come from; a document wins over the field of the same host.

use std::collections::BTreeMap;

use super::{PemPair, View};
use crate::kinds::registry::{
    CriCustomizationConfig, ImageCacheConfig, RegistryAuthConfig, RegistryMirrorConfig,
    RegistryTlsConfig,
};

/// Where the old list of files has the part of containerd's configuration for CRI.
pub(crate) const CRI_CUSTOMIZATION: &str = "/etc/cri/conf.d/20-customization.part";

/// The mirrors of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryMirror {
    /// Each mirror's URL, and whether its path is taken as it is.
    pub endpoints: Vec<(String, bool)>,
    /// Whether the registry itself is not asked when no mirror answers.
    pub skip_fallback: bool,
}

/// Trust of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryTls {
    /// The certificate that this machine shows.
    pub client_identity: Option<PemPair>,
    /// The authority of the registry's certificate, as PEM; empty when not given.
    pub ca: String,
    /// Whether any certificate is taken.
    pub insecure_skip_verify: bool,
}

/// Credentials of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryAuth {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
    /// User and password as base64.
    pub auth: String,
    /// A token.
    pub identity_token: String,
}

impl View<'_> {
    /// Mirrors by registry host; `*` stands for every host without an entry.
    #[must_use]
    pub fn registry_mirrors(&self) -> BTreeMap<String, RegistryMirror> {
        let mut all = BTreeMap::new();
        let registries = self.legacy_machine().and_then(|machine| machine.registries.as_ref());
        for (host, mirror) in registries.into_iter().flat_map(|registries| &registries.mirrors) {
            let Some(mirror) = mirror else { continue };
            let path = mirror.override_path.unwrap_or(false);
            let endpoints = mirror.endpoints.iter().map(|url| (url.clone(), path)).collect();
            let skip_fallback = mirror.skip_fallback.unwrap_or(false);
            all.insert(host.clone(), RegistryMirror { endpoints, skip_fallback });
        }
        for document in self.config.documents::<RegistryMirrorConfig>() {
            let endpoint = |e: &crate::kinds::registry::RegistryEndpoint| {
                (e.url.to_string(), e.override_path.unwrap_or(false))
            };
            let endpoints = document.endpoints.iter().map(endpoint).collect();
            let skip_fallback = document.skip_fallback.unwrap_or(false);
            all.insert(document.name.clone(), RegistryMirror { endpoints, skip_fallback });
        }
        all
    }

    /// Trust by registry host.
    #[must_use]
    pub fn registry_tls(&self) -> BTreeMap<String, RegistryTls> {
        let mut all = BTreeMap::new();
        let registries = self.legacy_machine().and_then(|machine| machine.registries.as_ref());
        for (host, settings) in registries.into_iter().flat_map(|registries| &registries.config) {
            let Some(tls) = settings.as_ref().and_then(|settings| settings.tls.as_ref()) else {
                continue;
            };
            let entry = RegistryTls {
                client_identity: tls.client_identity.as_ref().map(PemPair::from),
                ca: String::from_utf8_lossy(&tls.ca.0).into_owned(),
                insecure_skip_verify: tls.insecure_skip_verify.unwrap_or(false),
            };
            all.insert(host.clone(), entry);
        }
        for document in self.config.documents::<RegistryTlsConfig>() {
            let entry = RegistryTls {
                client_identity: document.client_identity.as_ref().map(PemPair::from),
                ca: document.ca.clone(),
                insecure_skip_verify: document.insecure_skip_verify.unwrap_or(false),
            };
            all.insert(document.name.clone(), entry);
        }
        all
    }

    /// Credentials by registry host.
    #[must_use]
    pub fn registry_auth(&self) -> BTreeMap<String, RegistryAuth> {
        let mut all = BTreeMap::new();
        let registries = self.legacy_machine().and_then(|machine| machine.registries.as_ref());
        for (host, settings) in registries.into_iter().flat_map(|registries| &registries.config) {
            let Some(auth) = settings.as_ref().and_then(|settings| settings.auth.as_ref()) else {
                continue;
            };
            let entry = RegistryAuth {
                username: auth.username.clone(),
                password: auth.password.clone(),
                auth: auth.auth.clone(),
                identity_token: auth.identity_token.clone(),
            };
            all.insert(host.clone(), entry);
        }
        for document in self.config.documents::<RegistryAuthConfig>() {
            let entry = RegistryAuth {
                username: document.username.clone(),
                password: document.password.clone(),
                auth: document.auth.clone(),
                identity_token: document.identity_token.clone(),
            };
            all.insert(document.name.clone(), entry);
        }
        all
    }

    /// Whether images are taken from the local cache first.
    #[must_use]
    pub fn image_cache(&self) -> bool {
        match self.config.document::<ImageCacheConfig>() {
            Some(document) => document.local.enabled.unwrap_or(false),
            None => {
                let features = self.legacy_machine().and_then(|machine| machine.features.as_ref());
                let cache = features.and_then(|features| features.image_cache.as_ref());
                cache.and_then(|cache| cache.local_enabled).unwrap_or(false)
            }
        }
    }

    /// Parts of the container runtime's configuration by name, in TOML. The old file with that
    /// purpose is the part `customization`.
    #[must_use]
    pub fn cri_customizations(&self) -> BTreeMap<String, String> {
        let files =
            self.legacy_machine().into_iter().flat_map(|machine| machine.files.iter().flatten());
        let old = files.filter(|file| file.path == CRI_CUSTOMIZATION);
        let mut all: BTreeMap<String, String> =
            old.map(|file| ("customization".to_owned(), file.content.clone())).collect();
        let documents = self.config.documents::<CriCustomizationConfig>();
        all.extend(documents.map(|d| (d.name.clone(), d.content.clone())));
        all
    }
}
