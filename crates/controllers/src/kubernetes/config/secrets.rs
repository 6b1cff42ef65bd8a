//! Authorities, keys and tokens of Kubernetes, as the configuration carries them.

use ::config::view::{PemPair, View};
use ::runtime::controller::{ControllerError, Output};
use resource::k8s::EtcdEncryptionConfigSpec;
use resource::secrets::{KubeletSpec, KubernetesRootSpec};
use resource::types::{
    NetIp, Object, PemEncodedCertificate, PemEncodedCertificateAndKey, PemEncodedKey, Url,
};

use super::{Run, derived, local_endpoint, nth_address};
use crate::kubernetes::object;
use crate::{Node, Plain};

fn pair(pair: Option<PemPair>) -> PemEncodedCertificateAndKey {
    let pair = pair.unwrap_or_default();
    PemEncodedCertificateAndKey { crt: pair.crt.into(), key: pair.key.into() }
}

fn certificates(all: Vec<String>) -> Vec<PemEncodedCertificate> {
    all.into_iter().map(|pem| PemEncodedCertificate { crt: pem.into() }).collect()
}

/// A bootstrap token's id and secret.
fn token(view: &View<'_>) -> (String, String) {
    let (id, secret) = view.bootstrap_token().split_once('.').unwrap_or_default();
    (id.to_owned(), secret.to_owned())
}

fn root(view: View<'_>) -> Result<Option<KubernetesRootSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let endpoint = view.cluster_endpoint().map(ToString::to_string).unwrap_or_default();
    let service_account = view.service_account().ok_or_else(|| {
        ControllerError::message(
            "the machine configuration has no service account key; a control plane node needs cluster.serviceAccount.key",
        )
    })?;
    let authority = view.kubernetes_ca();
    let aggregator = view.aggregator_ca();
    let key = |pem: String| PemEncodedKey { key: pem.into() };
    let (token_id, token_secret) = token(&view);
    let (secretbox, aes_cbc) = view.etcd_encryption_secrets();
    let services = view.service_subnets();
    Ok(Some(KubernetesRootSpec {
        name: view.cluster_name().to_owned(),
        endpoint: Url(endpoint),
        local_endpoint: Url(local_endpoint(&view)),
        cert_sans: view.api_server().cert_sans,
        api_server_ips: services
            .iter()
            .filter_map(|cidr| nth_address(cidr, 1))
            .map(|ip| NetIp(Some(ip)))
            .collect(),
        dns_domain: view.dns_domain().to_owned(),
        issuing_ca: pair(authority.issuing),
        accepted_cas: certificates(authority.accepted),
        aggregator_ca: pair(aggregator.issuing),
        accepted_aggregator_cas: certificates(aggregator.accepted),
        service_account: key(service_account.private_key),
        service_account_accepted_keys: service_account.accepted_keys.into_iter().map(key).collect(),
        issuer_url: service_account.issuer,
        accepted_issuers: service_account.accepted_issuers,
        api_audiences: service_account.audiences,
        aes_cbc_encryption_secret: aes_cbc.to_owned(),
        bootstrap_token_id: token_id,
        bootstrap_token_secret: token_secret,
        secretbox_encryption_secret: secretbox.to_owned(),
        etcd_encryption_config: view
            .etcd_encryption()
            .and_then(Object::from_value)
            .unwrap_or_default(),
    }))
}

fn kubelet(view: View<'_>) -> Result<Option<KubeletSpec>, ControllerError> {
    let (bootstrap_token_id, bootstrap_token_secret) = token(&view);
    let tls_server_name = view.kube_prism().and_then(|(_, name)| name).unwrap_or_default();
    Ok(Some(KubeletSpec {
        endpoint: Url(local_endpoint(&view)),
        endpoint_tls_server_name: tls_server_name.to_owned(),
        accepted_cas: certificates(view.kubernetes_ca().accepted),
        bootstrap_token_id,
        bootstrap_token_secret,
    }))
}

fn encryption(view: View<'_>) -> Result<Option<EtcdEncryptionConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let document = match view.etcd_encryption() {
        Some(own) => {
            let mut document = object::json(&own);
            document["apiVersion"] = "v1".into();
            document["kind"] = "EncryptionConfig".into();
            document
        }
        None => {
            let (secretbox, aes_cbc) = view.etcd_encryption_secrets();
            manifests::encryption::from_keys(
                Some(secretbox).filter(|secret| !secret.is_empty()),
                Some(aes_cbc).filter(|secret| !secret.is_empty()),
            )
        }
    };
    Ok(Some(EtcdEncryptionConfigSpec { configuration: manifests::document(&document) }))
}

/// The controllers of this module.
pub(super) fn controllers(node: &Node) -> [Plain<Run>; 3] {
    [
        derived(
            "secrets.RootKubernetesController",
            &node.config,
            "secrets",
            "k8s",
            Output::exclusive::<KubernetesRootSpec>(),
            root,
        ),
        derived(
            "secrets.KubeletController",
            &node.config,
            "secrets",
            "kubelet",
            Output::exclusive::<KubeletSpec>(),
            kubelet,
        ),
        derived(
            "k8s.EtcdEncryptionConfigController",
            &node.config,
            "k8s",
            "k8s",
            Output::exclusive::<EtcdEncryptionConfigSpec>(),
            encryption,
        ),
    ]
}
