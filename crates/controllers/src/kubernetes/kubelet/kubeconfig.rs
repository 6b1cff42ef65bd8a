//! A name for what the kubelet authenticates with, changed whenever the kubelet changes it.

use std::path::PathBuf;

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;
use manifests::kubelet::{KUBECONFIG_PATH, PKI_DIR};
use resource::k8s::{KubeletKubeconfigSpec, KubeletLifecycleSpec};
use sha2::{Digest, Sha256};
use sys::inotify::Watched;

use crate::Node;
use crate::files::watch::FileWatch;
use crate::volume::on_var;

struct Kubeconfig {
    kubeconfig: PathBuf,
    certificate: PathBuf,
    follower: Option<tokio::task::JoinHandle<()>>,
}

impl Kubeconfig {
    /// Wakes the controller after each change of either file.
    fn follow(&mut self, context: &Context) -> std::io::Result<()> {
        if self.follower.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let watch = FileWatch::new()?;
        let events = Watched::CREATE
            | Watched::MOVED_TO
            | Watched::CLOSE_WRITE
            | Watched::DELETE
            | Watched::DELETE_SELF;
        for directory in [self.kubeconfig.parent(), self.certificate.parent()].into_iter().flatten()
        {
            std::fs::create_dir_all(directory)?;
            watch.add(directory, events)?;
        }
        let waker = context.waker();
        self.follower = Some(tokio::spawn(async move {
            while let Ok(seen) = watch.next().await {
                waker.wake();
                // A directory that has gone is watched anew by the controller's next run.
                if seen
                    .iter()
                    .any(|event| event.happened.contains(sys::inotify::Happened::DELETE_SELF))
                {
                    return;
                }
            }
        }));
        Ok(())
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        if let Some(task) = &self.follower {
            task.abort();
        }
    }
}

impl Controller for Kubeconfig {
    fn name(&self) -> &'static str {
        "k8s.KubeletKubeconfigController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<KubeletLifecycleSpec>("k8s")]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<KubeletKubeconfigSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            self.follow(context)?;
            let kubeconfig = std::fs::read(&self.kubeconfig);
            let certificate = std::fs::read(&self.certificate);
            let (Ok(kubeconfig), Ok(certificate)) = (kubeconfig, certificate) else {
                context.remove::<KubeletKubeconfigSpec>("k8s", "kubelet")?;
                return Ok(Next::OnChange);
            };
            let digest =
                Sha256::new().chain_update(kubeconfig).chain_update(certificate).finalize();
            let hash =
                digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            context.modify::<KubeletKubeconfigSpec>("k8s", "kubelet", |spec| {
                spec.hash.clone_from(&hash)
            })?;
            Ok(Next::OnChange)
        })
    }
}

/// Publishes the name.
pub(crate) fn controller(node: &Node) -> impl Controller + use<> {
    let kubeconfig = Kubeconfig {
        kubeconfig: node.paths.at(KUBECONFIG_PATH),
        certificate: node.paths.at(PKI_DIR).join("kubelet-client-current.pem"),
        follower: None,
    };
    on_var(node, kubeconfig)
}
