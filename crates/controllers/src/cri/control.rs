//! The controllers around containerd: its configuration files, and its services.

use std::collections::BTreeSet;

use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::future::BoxFuture;
use resource::cri::{CustomizationConfigSpec, ImageCacheConfigSpec, RegistriesConfigSpec};
use resource::enums::{ImageCacheCopyStatus, ImageCacheStatus};
use resource::files::{EtcFileSpecSpec, EtcFileStatusSpec};
use sys::process::{Capabilities, Capability};

use super::config::{self, Base};
use super::{hosts, services};
use crate::Node;
use crate::plain::plain;

/// The image of pod sandboxes.
pub const SANDBOX_IMAGE: &str = "registry.k8s.io/pause:3.10.2";

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    super::registries::register(controllers, node)?;
    register_cache(controllers, node)?;
    register_files(controllers, node)?;
    controllers.register(Services { node: node.clone(), config: None })?;
    Ok(())
}

fn register_cache(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let root = node.paths.at(services::IMAGE_CACHE);
    controllers.register(plain(
        "cri.ImageCacheConfigController",
        Vec::new(),
        vec![Output::exclusive::<ImageCacheConfigSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let present = root.join("oci-layout").exists();
            context.modify::<ImageCacheConfigSpec>("cri", "image-cache", |spec| {
                spec.copy_status = ImageCacheCopyStatus::SKIPPED;
                if present {
                    spec.status = ImageCacheStatus::READY;
                    spec.roots = vec![root.display().to_string()];
                } else {
                    spec.status = ImageCacheStatus::DISABLED;
                }
            })?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

/// Where containerd asks first.
const CACHE: &str = "http://127.0.0.1:3172";

fn register_files(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let base = config::base(&Base {
        sandbox_image: SANDBOX_IMAGE.to_owned(),
        restrict_oom_score: !Capabilities::effective()
            .unwrap_or_default()
            .contains(Capability::SysResource),
        shim_cgroup: format!("/{}", super::services::SHIM_CGROUP),
        own_kernel: !node.platform.in_container(),
    });
    controllers.register(plain(
        "files.CRIConfigController",
        vec![
            Input::weak::<ImageCacheConfigSpec>("cri"),
            Input::weak::<RegistriesConfigSpec>("cri"),
            Input::weak::<CustomizationConfigSpec>("cri"),
        ],
        vec![Output::shared::<EtcFileSpecSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let Some(cache) = context.get::<ImageCacheConfigSpec>("cri", "image-cache") else {
                return Ok(Next::OnChange);
            };
            let Some(registries) = context.get::<RegistriesConfigSpec>("cri", "registries") else {
                return Ok(Next::OnChange);
            };
            let mut parts = vec![("00-base.part".to_owned(), base.clone())];
            for part in context.list::<CustomizationConfigSpec>("cri") {
                parts.push((part.id().to_owned(), part.spec.content.clone()));
            }
            let merged = config::merge(&parts)?;
            let cache = (cache.spec.status == ImageCacheStatus::READY).then_some(CACHE);
            let mut wanted: Vec<(String, Vec<u8>, u32)> = vec![
                ("cri/containerd.toml".into(), config::CONTAINERD.into(), 0o644),
                ("cri/system-containerd.toml".into(), config::SYSTEM.into(), 0o644),
                ("cri/conf.d/cri.toml".into(), merged.into_bytes(), 0o600),
            ];
            wanted.extend(
                hosts::files(&registries.spec, cache).into_iter().map(|file| {
                    (format!("cri/conf.d/hosts/{}", file.path), file.content, file.mode)
                }),
            );
            let mut kept = BTreeSet::new();
            for (id, contents, mode) in wanted {
                context.modify::<EtcFileSpecSpec>("files", &id, |spec| {
                    spec.contents.clone_from(&contents);
                    spec.mode = mode;
                })?;
                kept.insert(id);
            }
            context.cleanup::<EtcFileSpecSpec>("files", |file| kept.contains(file.id()))?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

/// Starts the services, and restarts `cri` when its configuration changes.
struct Services {
    node: Node,
    /// The version of the configuration that `cri` runs with.
    config: Option<String>,
}

impl Controller for Services {
    fn name(&self) -> &'static str {
        "cri.ServiceController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<EtcFileStatusSpec>("files").with_id("cri/conf.d/cri.toml")]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let supervisor = &self.node.supervisor;
            let written = context
                .get::<EtcFileStatusSpec>("files", "cri/conf.d/cri.toml")
                .map(|status| status.spec.spec_version.clone());
            match (&self.config, written) {
                (_, None) => return Ok(Next::OnChange),
                (None, Some(version)) => {
                    if let Some(spec) = services::registryd(&self.node)? {
                        supervisor.load(spec).await;
                        supervisor.start("registryd").await?;
                    }
                    supervisor.load(services::cri(&self.node)).await;
                    supervisor.start("cri").await?;
                    supervisor.load(services::system(&self.node)).await;
                    supervisor.start("containerd").await?;
                    self.config = Some(version);
                }
                (Some(known), Some(version)) if *known != version => {
                    supervisor.restart("cri").await?;
                    self.config = Some(version);
                }
                _ => {}
            }
            Ok(Next::OnChange)
        })
    }
}
