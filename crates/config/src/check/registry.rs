//! Checks of the kinds about images and the container runtime.

use super::named;
use crate::document::Validate;
use crate::field::Field;
use crate::finding::Findings;
use crate::kinds::registry::{
    CriBaseRuntimeSpecConfig, CriCustomizationConfig, ImageCacheConfig, ImageRule,
    ImageVerificationConfig, RegistryAuthConfig, RegistryMirrorConfig, RegistryTlsConfig,
};
use crate::v1alpha1::V1Alpha1;
use crate::validate::shared;

impl Validate for RegistryMirrorConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        for (number, endpoint) in self.endpoints.iter().enumerate() {
            let path = format!("endpoints.{number}.url");
            if endpoint.url.is_unset() {
                findings.error(&path, format!("endpoints[{number}].url must be specified"));
            } else if !matches!(endpoint.url.scheme.as_str(), "http" | "https") {
                findings.error(
                    &path,
                    format!(
                        "endpoints[{number}].url scheme {:?} must be http or https",
                        endpoint.url.scheme
                    ),
                );
            } else if endpoint.url.hostname().is_empty() {
                findings.error(&path, format!("endpoints[{number}].url needs a host"));
            }
        }
    }
}

impl Validate for RegistryAuthConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        let styles = [
            !self.username.is_empty() || !self.password.is_empty(),
            !self.auth.is_empty(),
            !self.identity_token.is_empty(),
        ];
        if styles.iter().filter(|used| **used).count() > 1 {
            findings.error("", "only one of username/password, auth and identityToken can be set");
        }
    }
}

impl Validate for RegistryTlsConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        if !self.ca.is_empty() && !shared::is_certificate(&self.ca) {
            findings.error("ca", "ca is not a certificate in PEM");
        }
        let Some(identity) = &self.client_identity else { return };
        match (identity.cert.is_empty(), identity.key.is_empty()) {
            (true, true) => {}
            (false, false) => {
                if !shared::is_certificate(&identity.cert) {
                    findings.error(
                        "clientIdentity.cert",
                        "clientIdentity.cert is not a certificate in PEM",
                    );
                }
                if !shared::is_private_key(&identity.key) {
                    findings.error(
                        "clientIdentity.key",
                        "clientIdentity.key is not a private key in PEM",
                    );
                }
            }
            _ => findings.error("clientIdentity", "clientIdentity needs both cert and key"),
        }
    }
}

impl Validate for ImageCacheConfig {
    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let features = legacy.machine.as_ref().and_then(|machine| machine.features.as_ref());
        if features.is_some_and(|features| features.image_cache.is_some()) {
            findings.error("", "ImageCacheConfig conflicts with .machine.features.imageCache of the v1alpha1 document: keep one of them");
        }
    }
}

impl Validate for CriCustomizationConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.name.is_empty() {
            named(&self.name, findings);
        } else if let Some(problem) = shared::qualified_name_problem(&self.name) {
            findings.error("name", format!("invalid name {:?}: {problem}", self.name));
        } else if self.name == "customization" {
            findings
                .error("name", "name \"customization\" is reserved for the part of .machine.files");
        }
    }
}

impl Validate for CriBaseRuntimeSpecConfig {
    fn validate(&self, findings: &mut Findings) {
        if let Err(problem) = super::runtime_spec(&self.overrides) {
            findings.error(
                "overrides",
                format!("failed to convert overrides to an OCI runtime spec: {problem}"),
            );
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(machine) = &legacy.machine else { return };
        if !Field::is_empty(&machine.base_runtime_spec_overrides) {
            findings.error("", "CRIBaseRuntimeSpecConfig conflicts with .machine.baseRuntimeSpecOverrides of the v1alpha1 document: keep one of them");
        }
    }
}

impl Validate for ImageVerificationConfig {
    fn validate(&self, findings: &mut Findings) {
        for (number, rule) in self.rules.iter().enumerate() {
            self::rule(rule, number, findings);
        }
    }
}

fn rule(rule: &ImageRule, number: usize, findings: &mut Findings) {
    let path = format!("rules.{number}");
    let mut error = |message: &str| findings.error(&path, format!("rules[{number}]: {message}"));
    if rule.image.is_empty() {
        error("image must be specified");
    }
    let (skip, deny) = (rule.skip.unwrap_or(false), rule.deny.unwrap_or(false));
    let verifiers = usize::from(rule.keyless.is_some()) + usize::from(rule.public_key.is_some());
    if skip && deny {
        error("skip and deny exclude each other");
    }
    match (skip || deny, verifiers) {
        (true, 1..) => error("a rule with skip or deny can't have a verifier"),
        (false, 0) => error("either keyless or publicKey is required"),
        (_, 2..) => error("keyless and publicKey exclude each other"),
        _ => {}
    }
    if let Some(keyless) = &rule.keyless {
        if keyless.issuer.is_empty() {
            error("keyless.issuer must be specified");
        }
        match (keyless.subject.is_empty(), keyless.subject_regex.is_empty()) {
            (true, true) => error("keyless needs subject or subjectRegex"),
            (false, false) => error("keyless.subject and keyless.subjectRegex exclude each other"),
            _ => {}
        }
        if let Err(problem) = regex::Regex::new(&keyless.subject_regex) {
            error(&format!("keyless.subjectRegex is not valid: {problem}"));
        }
    }
    if let Some(key) = &rule.public_key {
        if key.certificate.is_empty() {
            error("publicKey.certificate must be specified");
        } else if shared::pem(&key.certificate).is_none() {
            error("publicKey.certificate is not PEM");
        }
    }
    let image = &rule.image;
    let mut warning = |message: String| findings.warning(&path, message);
    if image.contains('@') {
        warning(format!(
            "rules[{number}]: image pattern {image:?} has a digest, which is not compared"
        ));
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.contains(':') && image.contains('/') {
        warning(format!(
            "rules[{number}]: image pattern {image:?} has a tag, which is not compared"
        ));
    }
    if !image.is_empty() && !image.contains('/') && image != "**" {
        warning(format!(
            "rules[{number}]: image pattern {image:?} has no '/', it matches no full image name"
        ));
    }
}
