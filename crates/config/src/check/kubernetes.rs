//! Checks of the kinds that configure Kubernetes.

use super::named;
use crate::document::Validate;
use crate::field::Field;
use crate::finding::Findings;
use crate::kinds::kubernetes::{
    CertificateAndKey, KubeAdmissionControlConfig, KubeAggregatorCaConfig, KubeApiServerCaConfig,
    KubeApiServerConfig, KubeAuditPolicyConfig, KubeAuthenticationConfig, KubeAuthorizerConfig,
    KubeClusterConfig, KubeControllerManagerConfig, KubeCoreDnsConfig,
    KubeCredentialProviderConfig, KubeEtcdEncryptionConfig, KubeExternalManifestConfig,
    KubeFlannelCniConfig, KubeInlineManifestConfig, KubeNetworkConfig, KubeNodeConfig,
    KubePrismConfig, KubeProxyConfig, KubeSchedulerConfig, KubeServiceAccountConfig,
    KubeStaticPodConfig, KubeTalosApiAccessConfig, KubeletConfig,
};
use crate::scalar::Prefix;
use crate::v1alpha1::V1Alpha1;
use crate::validate::shared;
use crate::validate::shared::ROLES;

/// The error of a setting that stands in the v1alpha1 document as well.
fn taken(findings: &mut Findings, kind: &str, field: &str) {
    findings.error(
        "",
        format!("{kind} conflicts with {field} of the v1alpha1 document: keep one of them"),
    );
}

fn image(image: &str, findings: &mut Findings) {
    if image.is_empty() {
        findings.error("image", "image must be specified");
    }
    shared::kubernetes_image(image, "image", findings);
}

/// Prefixes of arguments that the system sets from other documents.
const DENIED: [(&str, &str); 6] = [
    ("anonymous-auth", "KubeAuthenticationConfig"),
    ("oidc-", "KubeAuthenticationConfig"),
    ("authentication-config", "KubeAuthenticationConfig"),
    ("authorization-config", "KubeAuthorizerConfig"),
    ("authorization-mode", "KubeAuthorizerConfig"),
    ("authorization-webhook-", "KubeAuthorizerConfig"),
];

impl Validate for KubeApiServerConfig {
    fn validate(&self, findings: &mut Findings) {
        image(&self.image, findings);
        for name in self.extra_args.keys() {
            if let Some((_, kind)) = DENIED.iter().find(|(prefix, _)| name.starts_with(prefix)) {
                findings.error(
                    &format!("extraArgs.{name}"),
                    format!("extra arg {name:?} is not allowed: use {kind} instead"),
                );
            }
        }
        shared::resources(self.resources.as_ref(), "resources", findings);
        if self.api_port != 0 && !(1..=65535).contains(&self.api_port) {
            findings.error("apiPort", format!("apiPort {} must be from 1 to 65535", self.api_port));
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(cluster) = &legacy.cluster else { return };
        if cluster.api_server.is_some() {
            taken(findings, "KubeAPIServerConfig", ".cluster.apiServer");
        }
        if cluster.control_plane.as_ref().is_some_and(|c| c.local_api_server_port != 0) {
            taken(findings, "KubeAPIServerConfig", ".cluster.controlPlane.localAPIServerPort");
        }
    }
}

fn pair(pair: Option<&CertificateAndKey>, findings: &mut Findings) {
    let Some(pair) = pair else { return };
    if !shared::is_certificate(&pair.cert) {
        findings.error("issuingCA.cert", "issuingCA.cert is not a certificate in PEM");
    }
    if !shared::is_private_key(&pair.key) {
        findings.error("issuingCA.key", "issuingCA.key is not a private key in PEM");
    }
}

fn accepted(certificates: &[String], findings: &mut Findings) {
    for (number, certificate) in certificates.iter().enumerate() {
        if !shared::is_certificate(certificate) {
            findings.error(
                &format!("acceptedCAs.{number}"),
                format!("acceptedCAs[{number}] is not a certificate in PEM"),
            );
        }
    }
}

impl Validate for KubeApiServerCaConfig {
    fn validate(&self, findings: &mut Findings) {
        pair(self.issuing_ca.as_ref(), findings);
        accepted(&self.accepted_cas, findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.ca.is_some()) {
            taken(findings, "KubeAPIServerCAConfig", ".cluster.ca");
        }
    }
}

impl Validate for KubeAggregatorCaConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.issuing_ca.is_none() {
            findings.error("issuingCA", "issuingCA must be specified");
        }
        pair(self.issuing_ca.as_ref(), findings);
        accepted(&self.accepted_cas, findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.aggregator_ca.is_some()) {
            taken(findings, "KubeAggregatorCAConfig", ".cluster.aggregatorCA");
        }
    }
}

impl Validate for KubeServiceAccountConfig {
    fn validate(&self, findings: &mut Findings) {
        let key = &self.issuer.private_key;
        let label = shared::pem(key).map(|(label, _)| label);
        let parsable = shared::is_private_key(key) && label != Some("ED25519 PRIVATE KEY");
        if !parsable {
            findings.error(
                "issuer.privateKey",
                "issuer.privateKey is not an RSA or EC private key in PEM",
            );
        }
        if self.issuer.issuer_url.is_unset() {
            findings.error("issuer.issuerURL", "issuer.issuerURL must be specified");
        }
        for (number, key) in self.accepted.public_keys.iter().enumerate() {
            if shared::pem(key).is_none() {
                findings.error(
                    &format!("accepted.publicKeys.{number}"),
                    format!("accepted.publicKeys[{number}] is not a key in PEM"),
                );
            }
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.service_account.is_some()) {
            taken(findings, "KubeServiceAccountConfig", ".cluster.serviceAccount");
        }
    }
}

impl Validate for KubeEtcdEncryptionConfig {
    fn validate(&self, findings: &mut Findings) {
        if Field::is_empty(&self.config) {
            findings.error("config", "config must be specified");
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(cluster) = &legacy.cluster else { return };
        if !cluster.secretbox_encryption_secret.is_empty() {
            taken(findings, "KubeEtcdEncryptionConfig", ".cluster.secretboxEncryptionSecret");
        }
        if !cluster.aescbc_encryption_secret.is_empty() {
            taken(findings, "KubeEtcdEncryptionConfig", ".cluster.aescbcEncryptionSecret");
        }
    }
}

impl Validate for KubeAdmissionControlConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let server = legacy.cluster.as_ref().and_then(|cluster| cluster.api_server.as_ref());
        if server.is_some_and(|server| !server.admission_control.is_empty()) {
            taken(findings, "KubeAdmissionControlConfig", ".cluster.apiServer.admissionControl");
        }
    }
}

impl Validate for KubeAuditPolicyConfig {
    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let server = legacy.cluster.as_ref().and_then(|cluster| cluster.api_server.as_ref());
        if server.is_some_and(|server| !Field::is_empty(&server.audit_policy)) {
            taken(findings, "KubeAuditPolicyConfig", ".cluster.apiServer.auditPolicy");
        }
    }
}

impl Validate for KubeAuthenticationConfig {}

impl Validate for KubeAuthorizerConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        match self.kind.as_str() {
            "Webhook" if Field::is_empty(&self.webhook) => {
                findings.error("webhook", "webhook must be specified for type Webhook");
            }
            "Webhook" => {}
            "Node" | "RBAC" if !Field::is_empty(&self.webhook) => {
                findings.warning("webhook", format!("webhook is ignored for type {}", self.kind));
            }
            "Node" | "RBAC" => {}
            other => findings.error(
                "type",
                format!("unknown authorizer type {other:?}: want Node, RBAC or Webhook"),
            ),
        }
    }

    // The contract looks at the admission plugins here, not at the authorizers.
    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let server = legacy.cluster.as_ref().and_then(|cluster| cluster.api_server.as_ref());
        if server.is_some_and(|server| !server.admission_control.is_empty()) {
            taken(findings, "KubeAuthorizerConfig", ".cluster.apiServer.admissionControl");
        }
    }
}

impl Validate for KubeControllerManagerConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.enabled == Some(false) {
            return;
        }
        image(&self.image, findings);
        shared::resources(self.resources.as_ref(), "resources", findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.controller_manager.is_some()) {
            taken(findings, "KubeControllerManagerConfig", ".cluster.controllerManager");
        }
        let toggles = legacy.machine.as_ref().and_then(|machine| machine.control_plane.as_ref());
        if toggles.is_some_and(|toggles| toggles.controller_manager.is_some()) {
            taken(
                findings,
                "KubeControllerManagerConfig",
                ".machine.controlPlane.controllerManager",
            );
        }
    }
}

impl Validate for KubeSchedulerConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.enabled == Some(false) {
            return;
        }
        image(&self.image, findings);
        shared::resources(self.resources.as_ref(), "resources", findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.scheduler.is_some()) {
            taken(findings, "KubeSchedulerConfig", ".cluster.scheduler");
        }
        let toggles = legacy.machine.as_ref().and_then(|machine| machine.control_plane.as_ref());
        if toggles.is_some_and(|toggles| toggles.scheduler.is_some()) {
            taken(findings, "KubeSchedulerConfig", ".machine.controlPlane.scheduler");
        }
    }
}

impl Validate for KubeProxyConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.enabled == Some(false) {
            return;
        }
        image(&self.image, findings);
        match self.mode.as_str() {
            "" | "nftables" => {}
            "iptables" | "ipvs" => findings.warning(
                "mode",
                format!("kube-proxy mode {:?} is deprecated: use nftables", self.mode),
            ),
            other => findings.error(
                "mode",
                format!("unknown kube-proxy mode {other:?}: want nftables, iptables or ipvs"),
            ),
        }
        if !self.extra_args.is_empty() {
            findings.warning("extraArgs", "kube-proxy extraArgs are deprecated: use config");
        }
        shared::resources(self.resources.as_ref(), "resources", findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.proxy.is_some()) {
            taken(findings, "KubeProxyConfig", ".cluster.proxy");
        }
    }
}

/// Whether the v1alpha1 document configures the networks of the cluster.
fn has_network(legacy: &V1Alpha1) -> bool {
    legacy.cluster.as_ref().is_some_and(|cluster| cluster.network.is_some())
}

impl Validate for KubeFlannelCniConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.backend_type.is_empty() {
            findings.error("backendType", "backendType must be specified");
        }
        shared::resources(self.resources.as_ref(), "resources", findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if has_network(legacy) {
            taken(findings, "KubeFlannelCNIConfig", ".cluster.network");
        }
    }
}

impl Validate for KubeCoreDnsConfig {
    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.core_dns.is_some()) {
            taken(findings, "KubeCoreDNSConfig", ".cluster.coreDNS");
        }
    }
}

impl Validate for KubeClusterConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.cluster_name.is_empty() {
            findings.error("clusterName", "clusterName must be specified");
        }
        if self.endpoint.is_unset() {
            findings.error("endpoint", "endpoint must be specified");
        } else if let Some(problem) = shared::endpoint_problem(&self.endpoint) {
            findings.error("endpoint", format!("invalid cluster endpoint: {problem}"));
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(cluster) = &legacy.cluster else { return };
        if !cluster.cluster_name.is_empty() {
            taken(findings, "KubeClusterConfig", ".cluster.clusterName");
        }
        let endpoint = cluster.control_plane.as_ref().and_then(|c| c.endpoint.as_ref());
        if endpoint.is_some_and(|endpoint| !endpoint.is_unset()) {
            taken(findings, "KubeClusterConfig", ".cluster.controlPlane.endpoint");
        }
    }
}

impl KubeNetworkConfig {
    /// Checks one list of subnets and returns those that are prefixes.
    fn subnets(list: &[String], name: &str, findings: &mut Findings) -> Vec<Prefix> {
        if list.is_empty() {
            findings.error(name, format!("{name} must be specified"));
        }
        if list.len() > 2 {
            findings
                .error(name, format!("{name} has {} subnets: at most two are allowed", list.len()));
        }
        let mut prefixes: Vec<Prefix> = Vec::new();
        for text in list {
            let Some(prefix) = text.parse::<Prefix>().ok().filter(|prefix| !prefix.is_unset())
            else {
                findings.error(name, format!("{name}: {text:?} is not a subnet"));
                continue;
            };
            if !prefix.is_masked() {
                findings.error(name, format!("{name}: {text:?} has host bits set"));
            }
            let host_bits = host_bits(prefix);
            if host_bits < 4 {
                findings.error(
                    name,
                    format!("{name}: {text:?} is too small: want at least 4 host bits"),
                );
            }
            let family = is_v4(prefix);
            if prefixes.iter().any(|other| is_v4(*other) == family) {
                findings
                    .error(name, format!("{name}: at most one subnet per IP family is allowed"));
            }
            prefixes.push(prefix);
        }
        prefixes
    }
}

fn is_v4(prefix: Prefix) -> bool {
    prefix.ip().is_some_and(|ip| ip.is_ipv4())
}

fn host_bits(prefix: Prefix) -> u8 {
    let all: u8 = if is_v4(prefix) { 32 } else { 128 };
    all.saturating_sub(prefix.bits().unwrap_or(0))
}

impl Validate for KubeNetworkConfig {
    fn validate(&self, findings: &mut Findings) {
        let masks = [
            ("nodeCIDRMaskSizeIPv4", self.node_cidr_mask_size_ipv4, 32),
            ("nodeCIDRMaskSizeIPv6", self.node_cidr_mask_size_ipv6, 128),
        ];
        for (name, mask, most) in masks {
            if mask.is_some_and(|mask| !(1..=most).contains(&mask)) {
                findings.error(name, format!("{name} must be from 1 to {most}"));
            }
        }
        let pods = Self::subnets(&self.pod_subnets, "podSubnets", findings);
        let services = Self::subnets(&self.service_subnets, "serviceSubnets", findings);
        for prefix in &pods {
            let mask = if is_v4(*prefix) {
                self.node_cidr_mask_size_ipv4.unwrap_or(crate::defaults::NODE_CIDR_MASK_V4.into())
            } else {
                self.node_cidr_mask_size_ipv6.unwrap_or(crate::defaults::NODE_CIDR_MASK_V6.into())
            };
            let bits = i64::from(prefix.bits().unwrap_or(0));
            if bits > mask {
                findings.error(
                    "podSubnets",
                    format!("pod subnet {prefix} is smaller than the subnet of one node (/{mask})"),
                );
            } else if mask - bits > 16 {
                findings.error("podSubnets", format!("pod subnet {prefix} is too large for node subnets of /{mask}: at most 16 bits may lie between"));
            }
        }
        for prefix in services.iter().filter(|prefix| host_bits(**prefix) > 20) {
            findings.error(
                "serviceSubnets",
                format!("service subnet {prefix} is too large: at most 20 host bits are allowed"),
            );
        }
        if self.pod_subnets.len() != self.service_subnets.len() {
            findings.error(
                "podSubnets",
                "podSubnets and serviceSubnets must have the same number of subnets",
            );
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if has_network(legacy) {
            taken(findings, "KubeNetworkConfig", ".cluster.network");
        }
    }
}

/// Whether the v1alpha1 document configures the kubelet.
fn has_kubelet(legacy: &V1Alpha1) -> bool {
    legacy.machine.as_ref().is_some_and(|machine| machine.kubelet.is_some())
}

impl Validate for KubeletConfig {
    fn validate(&self, findings: &mut Findings) {
        image(&self.image, findings);
        shared::kubelet_config(&self.config, "config", findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if has_kubelet(legacy) {
            taken(findings, "KubeletConfig", ".machine.kubelet");
        }
    }
}

impl Validate for KubeCredentialProviderConfig {
    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if has_kubelet(legacy) {
            taken(findings, "KubeCredentialProviderConfig", ".machine.kubelet");
        }
    }
}

impl Validate for KubeNodeConfig {
    fn validate(&self, findings: &mut Findings) {
        for subnet in self.node_ip.valid_subnets.iter().filter(|s| !shared::is_subnet_filter(s)) {
            findings
                .error("nodeIP.validSubnets", format!("nodeIP subnet is not valid: {subnet:?}"));
        }
        shared::labels(&self.labels, "labels", findings);
        shared::annotations(&self.annotations, "annotations", findings);
        shared::taints(&self.taints, "taints", findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let mut conflict = |set: bool, field: &str| {
            if set {
                taken(findings, "KubeNodeConfig", field);
            }
        };
        if let Some(cluster) = &legacy.cluster {
            conflict(
                cluster.allow_scheduling_on_masters.is_some(),
                ".cluster.allowSchedulingOnMasters",
            );
            conflict(
                cluster.allow_scheduling_on_control_planes.is_some(),
                ".cluster.allowSchedulingOnControlPlanes",
            );
        }
        let Some(machine) = &legacy.machine else { return };
        if let Some(kubelet) = &machine.kubelet {
            conflict(
                kubelet.skip_node_registration.is_some(),
                ".machine.kubelet.skipNodeRegistration",
            );
            conflict(kubelet.register_with_fqdn.is_some(), ".machine.kubelet.registerWithFQDN");
            conflict(kubelet.node_ip.is_some(), ".machine.kubelet.nodeIP");
        }
        conflict(!machine.node_labels.is_empty(), ".machine.nodeLabels");
        conflict(!machine.node_annotations.is_empty(), ".machine.nodeAnnotations");
        conflict(!machine.node_taints.is_empty(), ".machine.nodeTaints");
    }
}

impl Validate for KubePrismConfig {
    fn validate(&self, findings: &mut Findings) {
        if !(1..=65535).contains(&self.port) {
            findings.error("port", format!("port {} must be from 1 to 65535", self.port));
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let features = legacy.machine.as_ref().and_then(|machine| machine.features.as_ref());
        if features.is_some_and(|features| features.kube_prism.is_some()) {
            taken(findings, "KubePrismConfig", ".machine.features.kubePrism");
        }
    }
}

impl Validate for KubeTalosApiAccessConfig {
    fn validate(&self, findings: &mut Findings) {
        for role in self.allowed_roles.iter().filter(|role| !ROLES.contains(&role.as_str())) {
            findings.error(
                "allowedRoles",
                format!("unknown role {role:?}: want one of {}", ROLES.join(", ")),
            );
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let features = legacy.machine.as_ref().and_then(|machine| machine.features.as_ref());
        if features.is_some_and(|features| features.kubernetes_api_access.is_some()) {
            taken(
                findings,
                "KubeTalosAPIAccessConfig",
                ".machine.features.kubernetesTalosAPIAccess",
            );
        }
    }
}

/// A name that Kubernetes takes for objects.
fn object_name(name: &str, findings: &mut Findings) {
    if name.is_empty() {
        named(name, findings);
    } else if !shared::is_dns1123_subdomain(name) {
        findings.error(
            "name",
            format!(
                "name {name:?} must be a DNS subdomain: lower-case letters, digits, '-' and '.'"
            ),
        );
    }
}

impl Validate for KubeStaticPodConfig {
    fn validate(&self, findings: &mut Findings) {
        object_name(&self.name, findings);
        if Field::is_empty(&self.pod) {
            findings.error("pod", "pod must be specified");
        }
    }
}

impl Validate for KubeInlineManifestConfig {
    fn validate(&self, findings: &mut Findings) {
        object_name(&self.name, findings);
        if self.manifest.trim().is_empty() {
            findings.error("manifest", "manifest must be specified");
        } else if let Err(error) = yaml::parse(self.manifest.as_bytes()) {
            findings
                .error("manifest", format!("manifest is not a stream of YAML documents: {error}"));
        }
    }
}

impl Validate for KubeExternalManifestConfig {
    fn validate(&self, findings: &mut Findings) {
        object_name(&self.name, findings);
        if self.url.is_unset() {
            findings.error("url", "url must be specified");
        } else if !matches!(self.url.scheme.as_str(), "http" | "https") {
            findings
                .error("url", format!("url scheme {:?} must be http or https", self.url.scheme));
        } else if self.url.hostname().is_empty() {
            findings.error("url", "url needs a host");
        }
    }
}
