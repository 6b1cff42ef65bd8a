//! Mirrors, credentials and trust of image registries, and parts of containerd's configuration, from the machine
//! configuration.

use std::collections::{BTreeMap, BTreeSet};

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use config::Config;
use config::kinds::registry as kinds;
use resource::config::MachineConfigSpec;
use resource::cri::{
    CustomizationConfigSpec, RegistriesConfigSpec, RegistryAuthConfig, RegistryEndpointConfig,
    RegistryMirrorConfig, RegistryTLSConfig,
};
use resource::types::{Base64Bytes, PemEncodedCertificateAndKey};

use crate::Node;
use crate::config::active::{ACTIVE, NAMESPACE};
use crate::plain::plain;

/// What a configuration says about registries, in documents of their own and in the older place.
#[must_use]
pub fn registries(config: &Config) -> RegistriesConfigSpec {
    let mut spec = legacy(config);
    for mirror in config.documents::<kinds::RegistryMirrorConfig>() {
        let endpoints = mirror.endpoints.iter().map(|endpoint| RegistryEndpointConfig {
            endpoint: endpoint.url.to_string(),
            override_path: endpoint.override_path.unwrap_or_default(),
        });
        let wanted = RegistryMirrorConfig {
            endpoints: endpoints.collect(),
            skip_fallback: mirror.skip_fallback.unwrap_or_default(),
        };
        spec.mirrors.insert(mirror.name.clone(), wanted);
    }
    for auth in config.documents::<kinds::RegistryAuthConfig>() {
        let wanted = RegistryAuthConfig {
            username: auth.username.clone(),
            password: auth.password.clone(),
            auth: auth.auth.clone(),
            identity_token: auth.identity_token.clone(),
        };
        spec.auths.insert(auth.name.clone(), wanted);
    }
    for tls in config.documents::<kinds::RegistryTlsConfig>() {
        let client_identity =
            tls.client_identity.as_ref().map(|identity| PemEncodedCertificateAndKey {
                crt: identity.cert.clone().into(),
                key: identity.key.clone().into(),
            });
        let wanted = RegistryTLSConfig {
            client_identity,
            ca: tls.ca.clone().into(),
            insecure_skip_verify: tls.insecure_skip_verify.unwrap_or_default(),
        };
        spec.tls.insert(tls.name.clone(), wanted);
    }
    spec
}

fn legacy(config: &Config) -> RegistriesConfigSpec {
    let mut spec = RegistriesConfigSpec::default();
    let machine = config.v1alpha1().and_then(|document| document.machine.as_ref());
    let Some(registries) = machine.and_then(|machine| machine.registries.as_ref()) else {
        return spec;
    };
    for (host, mirror) in &registries.mirrors {
        let Some(mirror) = mirror else { continue };
        let endpoints = mirror.endpoints.iter().map(|endpoint| RegistryEndpointConfig {
            endpoint: endpoint.clone(),
            override_path: mirror.override_path.unwrap_or_default(),
        });
        let wanted = RegistryMirrorConfig {
            endpoints: endpoints.collect(),
            skip_fallback: mirror.skip_fallback.unwrap_or_default(),
        };
        spec.mirrors.insert(host.clone(), wanted);
    }
    for (host, settings) in &registries.config {
        let Some(settings) = settings else { continue };
        if let Some(auth) = &settings.auth {
            let wanted = RegistryAuthConfig {
                username: auth.username.clone(),
                password: auth.password.clone(),
                auth: auth.auth.clone(),
                identity_token: auth.identity_token.clone(),
            };
            spec.auths.insert(host.clone(), wanted);
        }
        if let Some(tls) = &settings.tls {
            let client_identity =
                tls.client_identity.as_ref().map(|identity| PemEncodedCertificateAndKey {
                    crt: Base64Bytes(identity.crt.clone()),
                    key: Base64Bytes(identity.key.clone()),
                });
            let wanted = RegistryTLSConfig {
                client_identity,
                ca: Base64Bytes(tls.ca.0.clone()),
                insecure_skip_verify: tls.insecure_skip_verify.unwrap_or_default(),
            };
            spec.tls.insert(host.clone(), wanted);
        }
    }
    spec
}

/// The file by which the older place customizes containerd.
const CUSTOMIZATION: &str = "/etc/cri/conf.d/20-customization.part";

/// The parts of containerd's configuration that the machine configuration adds, by name.
#[must_use]
pub fn customizations(config: &Config) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let machine = config.v1alpha1().and_then(|document| document.machine.as_ref());
    for file in machine.iter().flat_map(|machine| machine.files.iter()).flatten() {
        if file.path == CUSTOMIZATION {
            parts.insert("20-customization.part".to_owned(), file.content.clone());
        }
    }
    for document in config.documents::<kinds::CriCustomizationConfig>() {
        parts.insert(format!("20-{}.part", document.name), document.content.clone());
    }
    parts
}

/// Adds the controllers of this module.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let input = || vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)];
    let active = node.config.clone();
    controllers.register(plain(
        "cri.RegistriesConfigController",
        input(),
        vec![Output::exclusive::<RegistriesConfigSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            if let Some(config) = active.complete(context.store())? {
                let wanted = registries(&config);
                context.modify::<RegistriesConfigSpec>("cri", "registries", |spec| {
                    spec.clone_from(&wanted);
                })?;
            }
            Ok(Next::OnChange)
        },
    ))?;
    let active = node.config.clone();
    controllers.register(plain(
        "cri.CustomizationConfigController",
        input(),
        vec![Output::exclusive::<CustomizationConfigSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let Some(config) = active.complete(context.store())? else {
                return Ok(Next::OnChange);
            };
            let wanted = customizations(&config);
            for (name, content) in &wanted {
                context.modify::<CustomizationConfigSpec>("cri", name, |spec| {
                    spec.content.clone_from(content);
                })?;
            }
            let kept: BTreeSet<&str> = wanted.keys().map(String::as_str).collect();
            context.cleanup::<CustomizationConfigSpec>("cri", |part| kept.contains(part.id()))?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: &str = "\
apiVersion: v1alpha1
kind: RegistryMirrorConfig
name: docker.io
endpoints:
    - url: https://mirror.example
skipFallback: true
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: mirror.example
username: u
password: p
---
apiVersion: v1alpha1
kind: CRICustomizationConfig
name: metrics
content: |
    [metrics]
";

    #[test]
    fn documents_say_where_images_come_from() {
        let config = config::load(DOCUMENTS.as_bytes()).unwrap();
        let spec = registries(&config);
        let mirror = &spec.mirrors["docker.io"];
        assert!(mirror.skip_fallback);
        assert_eq!(mirror.endpoints[0].endpoint, "https://mirror.example");
        assert_eq!(spec.auths["mirror.example"].password, "p");
        assert_eq!(customizations(&config)["20-metrics.part"], "[metrics]\n");
    }
}
