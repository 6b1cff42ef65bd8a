//! Mirrors, credentials and trust of image registries, and parts of containerd's configuration, from the machine
//! configuration.

use std::collections::{BTreeMap, BTreeSet};

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use config::Config;
use config::view::{RegistryAuth, RegistryMirror, RegistryTls};
use resource::config::MachineConfigSpec;
use resource::cri::{
    CustomizationConfigSpec, RegistriesConfigSpec, RegistryAuthConfig, RegistryEndpointConfig,
    RegistryMirrorConfig, RegistryTLSConfig,
};
use resource::types::PemEncodedCertificateAndKey;

use crate::Node;
use crate::config::active::{ACTIVE, NAMESPACE};
use crate::plain::plain;

/// What a configuration says about registries.
#[must_use]
pub fn registries(config: &Config) -> RegistriesConfigSpec {
    let view = config.view();
    let mirror = |mirror: RegistryMirror| RegistryMirrorConfig {
        endpoints: mirror
            .endpoints
            .into_iter()
            .map(|(endpoint, override_path)| RegistryEndpointConfig { endpoint, override_path })
            .collect(),
        skip_fallback: mirror.skip_fallback,
    };
    let auth = |auth: RegistryAuth| RegistryAuthConfig {
        username: auth.username,
        password: auth.password,
        auth: auth.auth,
        identity_token: auth.identity_token,
    };
    let tls = |tls: RegistryTls| RegistryTLSConfig {
        client_identity: tls.client_identity.map(|identity| PemEncodedCertificateAndKey {
            crt: identity.crt.into(),
            key: identity.key.into(),
        }),
        ca: tls.ca.into(),
        insecure_skip_verify: tls.insecure_skip_verify,
    };
    RegistriesConfigSpec {
        mirrors: view.registry_mirrors().into_iter().map(|(name, m)| (name, mirror(m))).collect(),
        auths: view.registry_auth().into_iter().map(|(name, a)| (name, auth(a))).collect(),
        tls: view.registry_tls().into_iter().map(|(name, t)| (name, tls(t))).collect(),
    }
}

/// The parts of containerd's configuration that the machine configuration adds, by name.
#[must_use]
pub fn customizations(config: &Config) -> BTreeMap<String, String> {
    let parts = config.view().cri_customizations();
    parts.into_iter().map(|(name, content)| (format!("20-{name}.part"), content)).collect()
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
