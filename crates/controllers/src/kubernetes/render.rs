//! The files that control plane pods read: secrets and configuration, owned by the user of each pod.

use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use manifests::control_plane::{AUDIT_LOG_DIR, CONFIG_DIR, SECRETS_DIR, scheduler_config};
use manifests::policy::{self, AdmissionPlugin, Authorizer};
use manifests::static_pod::Component;
use resource::k8s::{
    AdmissionControlConfigSpec, AuditPolicyConfigSpec, AuthenticationConfigSpec,
    AuthorizationConfigSpec, ConfigStatusSpec, EtcdEncryptionConfigSpec, SchedulerConfigSpec,
    SecretsStatusSpec,
};
use resource::secrets::{
    EtcdCertsSpec, EtcdRootSpec, KubernetesCertsSpec, KubernetesDynamicCertsSpec,
    KubernetesRootSpec,
};
use resource::types::{Base64Bytes, PemEncodedCertificateAndKey};
use resource::{Shared, Spec};
use sha2::{Digest, Sha256};

use super::object;
use crate::files::atomic;
use crate::role::{machine_type, waits_as_control_plane};
use crate::secrets::kubernetes::bundle;
use crate::volume::on_var;
use crate::{Node, Paths, plain};

/// A file could not be given to the pod that reads it.
#[derive(Debug, thiserror::Error)]
#[error("cannot give {path} to user {uid}")]
struct OwnerError {
    path: PathBuf,
    uid: u32,
    #[source]
    source: io::Error,
}

/// A file of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RenderedFile {
    component: Component,
    name: &'static str,
    content: Vec<u8>,
}

fn file(component: Component, name: &'static str, content: impl Into<Vec<u8>>) -> RenderedFile {
    RenderedFile { component, name, content: content.into() }
}

/// A short name for the content of all files: it changes when any of them does.
fn version(files: &[RenderedFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.component.name());
        hash.update(file.name);
        hash.update((file.content.len() as u64).to_le_bytes());
        hash.update(&file.content);
    }
    hash.finalize().iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn own(path: &Path, uid: u32) -> Result<(), OwnerError> {
    chown(path, Some(uid), Some(uid)).map_err(|source| OwnerError {
        path: path.to_owned(),
        uid,
        source,
    })
}

fn write(paths: &Paths, directory: &str, files: &[RenderedFile]) -> Result<(), ControllerError> {
    for file in files {
        let uid = file.component.uid();
        let path = paths.at(directory).join(file.component.name()).join(file.name);
        // The owner is part of what makes the file right, so it is set whether or not it was written now.
        atomic::write(&path, &file.content, 0o400)?;
        own(&path, uid)?;
    }
    Ok(())
}

fn secret_files(
    root: &KubernetesRootSpec,
    etcd_root: &EtcdRootSpec,
    etcd: &EtcdCertsSpec,
    certificates: &KubernetesDynamicCertsSpec,
    kubeconfigs: &KubernetesCertsSpec,
    encryption: &str,
) -> Result<Vec<RenderedFile>, ControllerError> {
    use Component::{ApiServer, ControllerManager, Scheduler};
    let service_account = String::from_utf8_lossy(&root.service_account.key.0);
    let mut public_keys = pki::PrivateKey::from_pem(&service_account)?.public_key_pem()?;
    for accepted in &root.service_account_accepted_keys {
        public_keys.push_str(&String::from_utf8_lossy(&accepted.key.0));
    }
    let authorities = bundle(&root.accepted_cas);
    let aggregator = if root.accepted_aggregator_cas.is_empty() {
        String::from_utf8_lossy(&root.aggregator_ca.crt.0).into_owned()
    } else {
        bundle(&root.accepted_aggregator_cas)
    };
    let mut files = Vec::new();
    let mut pair =
        |component, crt: &'static str, key: &'static str, pair: &PemEncodedCertificateAndKey| {
            files.push(file(component, crt, pair.crt.0.clone()));
            files.push(file(component, key, pair.key.0.clone()));
        };
    pair(ApiServer, "etcd-client.crt", "etcd-client.key", &etcd.etcd_api_server);
    pair(ApiServer, "apiserver.crt", "apiserver.key", &certificates.api_server);
    pair(
        ApiServer,
        "apiserver-kubelet-client.crt",
        "apiserver-kubelet-client.key",
        &certificates.api_server_kubelet_client,
    );
    pair(ApiServer, "front-proxy-client.crt", "front-proxy-client.key", &certificates.front_proxy);
    pair(ControllerManager, "ca.crt", "ca.key", &root.issuing_ca);
    let Base64Bytes(etcd_ca) = &etcd_root.etcd_ca.crt;
    files.push(file(ApiServer, "etcd-client-ca.crt", etcd_ca.clone()));
    files.push(file(ApiServer, "ca.crt", authorities));
    files.push(file(ApiServer, "aggregator-ca.crt", aggregator));
    files.push(file(ApiServer, "service-account.key", service_account.as_bytes()));
    files.push(file(ApiServer, "service-account.pub", public_keys));
    files.push(file(ApiServer, "encryptionconfig.yaml", encryption));
    files.push(file(ControllerManager, "service-account.key", service_account.as_bytes()));
    files.push(file(
        ControllerManager,
        "kubeconfig",
        kubeconfigs.controller_manager_kubeconfig.as_str(),
    ));
    files.push(file(Scheduler, "kubeconfig", kubeconfigs.scheduler_kubeconfig.as_str()));
    Ok(files)
}

/// The resource, or a published wait for it.
fn wanted<S: Spec>(context: &Context, namespace: &str, id: &str) -> Option<Arc<Shared<S>>> {
    let found = context.get::<S>(namespace, id).map(|resource| resource.spec);
    if found.is_none() {
        waits_as_control_plane(context, &Condition::resource::<S>(namespace, id));
    }
    found
}

fn secrets(context: &Context, paths: &Paths) -> Result<Next, ControllerError> {
    let root = wanted::<KubernetesRootSpec>(context, "secrets", "k8s");
    let etcd_root = wanted::<EtcdRootSpec>(context, "secrets", "etcd");
    let etcd = wanted::<EtcdCertsSpec>(context, "secrets", "etcd");
    let certificates =
        wanted::<KubernetesDynamicCertsSpec>(context, "secrets", "k8s-dynamic-certs");
    let kubeconfigs = wanted::<KubernetesCertsSpec>(context, "secrets", "k8s-certs");
    let encryption = wanted::<EtcdEncryptionConfigSpec>(context, "k8s", "k8s");
    let (
        Some(root),
        Some(etcd_root),
        Some(etcd),
        Some(certificates),
        Some(kubeconfigs),
        Some(encryption),
    ) = (root, etcd_root, etcd, certificates, kubeconfigs, encryption)
    else {
        return Ok(Next::OnChange);
    };
    let files = secret_files(
        &root,
        &etcd_root,
        &etcd,
        &certificates,
        &kubeconfigs,
        &encryption.configuration,
    )?;
    write(paths, SECRETS_DIR, &files)?;
    let version = version(&files);
    context.modify::<SecretsStatusSpec>("controlplane", "static-pods", |spec| {
        spec.ready = true;
        spec.version.clone_from(&version);
    })?;
    Ok(Next::OnChange)
}

fn config_files(
    admission: &AdmissionControlConfigSpec,
    audit: &AuditPolicyConfigSpec,
    authorization: &AuthorizationConfigSpec,
    authentication: &AuthenticationConfigSpec,
    scheduler: &SchedulerConfigSpec,
) -> Vec<RenderedFile> {
    use Component::{ApiServer, Scheduler};
    let plugins: Vec<AdmissionPlugin> = admission
        .config
        .iter()
        .map(|plugin| AdmissionPlugin {
            name: plugin.name.clone(),
            configuration: object::document(&plugin.configuration),
        })
        .collect();
    let chain: Vec<Authorizer> = authorization
        .config
        .iter()
        .map(|authorizer| Authorizer {
            kind: authorizer.r#type.clone(),
            name: authorizer.name.clone(),
            webhook: Some(object::document(&authorizer.webhook))
                .filter(|webhook| webhook.as_object().is_some_and(|fields| !fields.is_empty())),
        })
        .collect();
    let text = |document: &manifests::Object| manifests::document(document);
    vec![
        file(ApiServer, "admission-control-config.yaml", text(&policy::admission(&plugins))),
        file(ApiServer, "auditpolicy.yaml", text(&object::document(&audit.config))),
        file(ApiServer, "authorization-config.yaml", text(&policy::authorization(&chain))),
        file(
            ApiServer,
            "authentication-config.yaml",
            text(&object::document(&authentication.config)),
        ),
        file(
            Scheduler,
            "scheduler-config.yaml",
            text(&scheduler_config(Some(&object::document(&scheduler.config)))),
        ),
    ]
}

fn configs(context: &Context, paths: &Paths) -> Result<Next, ControllerError> {
    let admission =
        wanted::<AdmissionControlConfigSpec>(context, "controlplane", "admission-control");
    let audit = wanted::<AuditPolicyConfigSpec>(context, "controlplane", "audit-policy");
    let authorization = wanted::<AuthorizationConfigSpec>(context, "controlplane", "authorization");
    let authentication =
        wanted::<AuthenticationConfigSpec>(context, "controlplane", "authentication-config");
    let scheduler = wanted::<SchedulerConfigSpec>(context, "controlplane", "kube-scheduler");
    let (Some(admission), Some(audit), Some(authorization), Some(authentication), Some(scheduler)) =
        (admission, audit, authorization, authentication, scheduler)
    else {
        return Ok(Next::OnChange);
    };
    let files = config_files(&admission, &audit, &authorization, &authentication, &scheduler);
    write(paths, CONFIG_DIR, &files)?;
    let audit_log = paths.at(AUDIT_LOG_DIR);
    std::fs::create_dir_all(&audit_log)?;
    own(&audit_log, Component::ApiServer.uid())?;
    let version = version(&files);
    context.modify::<ConfigStatusSpec>("controlplane", "static-pods", |spec| {
        spec.ready = true;
        spec.version.clone_from(&version);
    })?;
    Ok(Next::OnChange)
}

/// The controllers of this module: secrets, configuration.
pub(crate) fn controllers(node: &Node) -> (impl Controller + use<>, impl Controller + use<>) {
    let (secret_paths, config_paths) = (node.paths.clone(), node.paths.clone());
    (
        plain(
            "k8s.RenderSecretsStaticPodController",
            vec![
                Input::weak::<KubernetesRootSpec>("secrets").with_id("k8s"),
                Input::weak::<EtcdRootSpec>("secrets").with_id("etcd"),
                Input::weak::<EtcdCertsSpec>("secrets").with_id("etcd"),
                Input::weak::<KubernetesDynamicCertsSpec>("secrets"),
                Input::weak::<KubernetesCertsSpec>("secrets"),
                Input::weak::<EtcdEncryptionConfigSpec>("k8s"),
                machine_type(),
            ],
            vec![Output::exclusive::<SecretsStatusSpec>()],
            move |context: &Context| secrets(context, &secret_paths),
        ),
        // The audit log's directory is made with the files.
        on_var(
            node,
            plain(
                "k8s.RenderConfigsStaticPodController",
                vec![
                    Input::weak::<AdmissionControlConfigSpec>("controlplane"),
                    Input::weak::<AuditPolicyConfigSpec>("controlplane"),
                    Input::weak::<AuthorizationConfigSpec>("controlplane"),
                    Input::weak::<AuthenticationConfigSpec>("controlplane"),
                    Input::weak::<SchedulerConfigSpec>("controlplane").with_id("kube-scheduler"),
                    machine_type(),
                ],
                vec![Output::exclusive::<ConfigStatusSpec>()],
                move |context: &Context| configs(context, &config_paths),
            ),
        ),
    )
}
