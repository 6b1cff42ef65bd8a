//! The kubelet's service: its files are written, then it is started, and started anew when any of them changes.

use std::time::Duration;

use ::runtime::condition::Condition as Wait;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use ::runtime::service::Allowed;
use containers::Containerd;
use futures::future::BoxFuture;
use manifests::kubelet::{
    BOOTSTRAP_KUBECONFIG_PATH, CLIENT_CA_PATH, CONFIG_PATH, CREDENTIAL_PROVIDER_PATH,
    KUBECONFIG_PATH, PKI_DIR, bootstrap_kubeconfig, kubeconfig,
};
use pki::Certificate;
use resource::Phase;
use resource::k8s::{KubeletLifecycleSpec, KubeletSpecSpec};
use resource::secrets::{KubeletSpec as KubeletSecretsSpec, KubernetesRootSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::certificate::{self, CertificatePlan};
use super::container::{DIRECTORIES, container};
use crate::Node;
use crate::container::{ContainerRunner, Grants};
use crate::files::atomic;
use crate::images::Images;
use crate::kubernetes::object;
use crate::runtime::service::{HealthCheck, RunError, Spec};
use crate::secrets::kubernetes::bundle;
use crate::secrets::leaf;
use crate::volume::on_var;

/// Where the kubelet answers about its health.
const HEALTH: &str = "127.0.0.1:10248";
/// What the running kubelet was started with; survives a crash of machined, not a boot.
const RECORD: &str = "/run/ichor/kubelet.json";

/// Runs the kubelet.
struct KubeletService {
    node: Node,
    containerd: Containerd,
    images: Images,
    grants: Grants,
    loaded: bool,
}

/// Asks the kubelet whether it is well.
async fn healthy() -> Result<(), String> {
    let ask = async {
        let mut stream = TcpStream::connect(HEALTH).await?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    match ask.await {
        Ok(answer) if answer.split(' ').nth(1) == Some("200") => Ok(()),
        Ok(answer) => Err(answer.lines().last().unwrap_or("no answer").to_owned()),
        Err(error) => Err(format!("{HEALTH}: {error}")),
    }
}

impl KubeletService {
    /// Writes the files that the kubelet reads; says whether any of them is another than before.
    fn write(
        &self,
        spec: &KubeletSpecSpec,
        secrets: &KubeletSecretsSpec,
        root: Option<&KubernetesRootSpec>,
        now: i64,
    ) -> Result<bool, ControllerError> {
        let paths = &self.node.paths;
        for directory in DIRECTORIES {
            std::fs::create_dir_all(paths.at(directory))?;
        }
        let authorities = bundle(&secrets.accepted_cas);
        let endpoint = secrets.endpoint.0.as_str();
        let tls_name =
            Some(secrets.endpoint_tls_server_name.as_str()).filter(|name| !name.is_empty());
        let bootstrap = bootstrap_kubeconfig(
            endpoint,
            tls_name,
            &authorities,
            &secrets.bootstrap_token_id,
            &secrets.bootstrap_token_secret,
        );
        let config = manifests::document(&object::document(&spec.config));
        let mut changed = false;
        let mut write = |path: &str, content: &str, mode| {
            atomic::write(&paths.at(path), content.as_bytes(), mode)
                .map(|written| changed |= written)
        };
        write(CLIENT_CA_PATH, &authorities, 0o400)?;
        write(BOOTSTRAP_KUBECONFIG_PATH, &manifests::document(&bootstrap), 0o600)?;
        write(CONFIG_PATH, &config, 0o600)?;
        if !spec.credential_provider_config.0.is_empty() {
            let document = manifests::document(&object::document(&spec.credential_provider_config));
            write(CREDENTIAL_PROVIDER_PATH, &document, 0o600)?;
        }

        let pki = paths.at(PKI_DIR);
        let kubeconfig_path = paths.at(KUBECONFIG_PATH);
        let accepted = Certificate::all_from_pem(&authorities)?;
        let current = std::fs::read_to_string(pki.join("kubelet-client-current.pem")).ok();
        let nodename = &spec.expected_nodename;
        let plan = certificate::plan(current.as_deref(), nodename, &accepted, now);
        if let CertificatePlan::Request { reason } = plan {
            tracing::info!(nodename, reason, "the kubelet needs a client certificate");
            certificate::forget(&pki, &kubeconfig_path)?;
            changed = true;
        }
        let authority = root.map(|root| leaf::authority(&root.issuing_ca)).transpose()?.flatten();
        let has_certificate = match (plan, authority) {
            (CertificatePlan::Keep, _) => true,
            (CertificatePlan::Request { .. }, Some(authority)) => {
                certificate::issue(&pki, nodename, &authority, now)?;
                true
            }
            (CertificatePlan::Request { .. }, None) => false,
        };
        if has_certificate {
            let document = kubeconfig(endpoint, tls_name, &authorities);
            changed |=
                atomic::write(&kubeconfig_path, manifests::document(&document).as_bytes(), 0o600)?;
        }
        // What the container is made of is not in any file it reads.
        let record = manifests::document(&serde_json::json!({
            "image": spec.image,
            "args": spec.args,
            "mounts": spec.extra_mounts.iter().map(|mount| format!("{mount:?}")).collect::<Vec<_>>(),
        }));
        changed |= atomic::write(&paths.at(RECORD), record.as_bytes(), 0o600)?;
        Ok(changed)
    }

    fn service(&self) -> Spec {
        let (store, grants) = (self.node.store.clone(), self.grants.clone());
        let log = self.node.lasting_log("kubelet");
        let make = move || {
            let container = store
                .get::<KubeletSpecSpec>("k8s", "kubelet")
                .map(|spec| container(&spec.spec, &grants, log.clone()))
                .ok_or_else(|| RunError::plain("the kubelet has no specification any more"));
            std::future::ready(container)
        };
        let (store, images) = (self.node.store.clone(), self.images.clone());
        let pki = self.node.paths.at(PKI_DIR);
        let prepare = move || {
            let (store, images, pki) = (store.clone(), images.clone(), pki.clone());
            async move {
                // A serving certificate that the kubelet made for itself may carry addresses of yesterday.
                for file in ["kubelet.crt", "kubelet.key"] {
                    let _ = std::fs::remove_file(pki.join(file));
                }
                let spec = store.get::<KubeletSpecSpec>("k8s", "kubelet");
                let spec = spec
                    .ok_or_else(|| RunError::plain("the kubelet has no specification any more"))?;
                images.ensure(&spec.spec.image).await
            }
        };
        Spec::new("kubelet", ContainerRunner::new(self.containerd.clone(), "kubelet", make))
            .after("cri")
            .prepared(prepare)
            .checked(HealthCheck::new(healthy).pace(Duration::from_secs(5), Duration::from_secs(2)))
            .allows(Allowed { start: true, stop: false, restart: true })
            .grace(Duration::from_secs(10))
    }
}

impl Controller for KubeletService {
    fn name(&self) -> &'static str {
        "k8s.KubeletServiceController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<KubeletSpecSpec>("k8s").with_id("kubelet"),
            Input::weak::<KubeletSecretsSpec>("secrets").with_id("kubelet"),
            Input::weak::<KubernetesRootSpec>("secrets").with_id("k8s"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<KubeletLifecycleSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let Some(spec) = context.get::<KubeletSpecSpec>("k8s", "kubelet") else {
                context.waiting(&Wait::resource::<KubeletSpecSpec>("k8s", "kubelet"));
                return Ok(Next::OnChange);
            };
            let Some(secrets) = context.get::<KubeletSecretsSpec>("secrets", "kubelet") else {
                context.waiting(&Wait::resource::<KubeletSecretsSpec>("secrets", "kubelet"));
                return Ok(Next::OnChange);
            };
            let root = context.get::<KubernetesRootSpec>("secrets", "k8s");
            let root: Option<&KubernetesRootSpec> = root.as_ref().map(|root| &**root.spec);
            let now = context.store().now().seconds;
            let lifecycle = context.get::<KubeletLifecycleSpec>("k8s", "kubelet");
            if lifecycle.is_some_and(|lifecycle| lifecycle.metadata.phase == Phase::TearingDown) {
                // The node goes down: its pods are being stopped, and their keeper with them.
                return Ok(Next::OnChange);
            }
            let changed = self.write(&spec.spec, &secrets.spec, root, now)?;
            context.modify::<KubeletLifecycleSpec>("k8s", "kubelet", |_| {})?;
            let first = !std::mem::replace(&mut self.loaded, true);
            if first {
                self.node.supervisor.load(self.service()).await;
            }
            let running = self.containerd.task("kubelet").await.ok().flatten().is_some();
            if changed && (running || !first) {
                self.node.supervisor.restart("kubelet").await?;
            } else {
                self.node.supervisor.start("kubelet").await?;
            }
            Ok(Next::OnChange)
        })
    }
}

/// The controller of the kubelet's service.
pub(crate) fn controller(
    node: &Node,
    containerd: Containerd,
    images: Images,
    grants: Grants,
) -> impl Controller + use<> {
    let service = KubeletService { node: node.clone(), containerd, images, grants, loaded: false };
    on_var(node, service)
}
