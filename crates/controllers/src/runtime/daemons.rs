//! The daemons made of this same program: apid and trustd, each a process of its own without privileges.

use std::time::Duration;

use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::future::BoxFuture;
use resource::config::MachineTypeSpec;
use resource::enums::MachineType;
use resource::runtime::{APIServiceConfigSpec, MaintenanceServiceRequestSpec};
use resource::secrets::{APICertsSpec, TrustdCertsSpec};
use resource::v1alpha1::AcquireConfigStatusSpec;
use sys::process::{Capabilities, Spawn};
use tokio::net::TcpStream;

use super::service::{Condition, HealthCheck, ProcessRunner, Spec};
use crate::Node;
use crate::cri::services::cgroup;
use crate::plain::plain;

/// This program in the root image; the name it is started under decides what it does.
pub(super) const PROGRAM: &str = "/usr/bin/machined";

/// The user that apid and the dashboard run as.
pub const APID_USER: u32 = 50;
/// The user that trustd runs as.
pub const TRUSTD_USER: u32 = 51;

struct Daemon {
    id: &'static str,
    user: u32,
    port: u16,
}

const APID: Daemon = Daemon { id: "apid", user: APID_USER, port: 50000 };
const TRUSTD: Daemon = Daemon { id: "trustd", user: TRUSTD_USER, port: 50001 };

fn service(node: &Node, daemon: &'static Daemon) -> Spec {
    let log = node.log(daemon.id);
    let runner = ProcessRunner::new(&node.paths.run(), daemon.id, move || {
        let spawn = Spawn::new(PROGRAM)
            .arg0(daemon.id)
            .env("PATH", "/usr/bin")
            .log_to(&log)
            .oom_score_adj(-998)
            .user(daemon.user, daemon.user)
            .capabilities(Capabilities::NONE)
            .no_new_privs()
            .new_session();
        let groups = cgroup(&format!("system/{}", daemon.id))?;
        Ok(groups.into_iter().fold(spawn, Spawn::cgroup_procs))
    });
    let check = HealthCheck::new(move || async move {
        TcpStream::connect(("127.0.0.1", daemon.port))
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    });
    Spec::new(daemon.id, runner).checked(check).grace(Duration::from_secs(15))
}

/// The process is there before what it waits for: its start takes longer than many a wait, and without a certificate it
/// lets nobody in.
fn apid(node: &Node) -> Spec {
    let store = &node.store;
    service(node, &APID)
        .ahead()
        .waits_for(Condition::resource::<APICertsSpec>(
            store,
            "api certificates",
            "secrets",
            "api",
            |certificates| !certificates.server.crt.0.is_empty(),
        ))
        .waits_for(Condition::resource::<APIServiceConfigSpec>(
            store,
            "api service config",
            "runtime",
            "apid",
            |_| true,
        ))
}

fn trustd(node: &Node) -> Spec {
    service(node, &TRUSTD).waits_for(Condition::resource::<TrustdCertsSpec>(
        &node.store,
        "trustd certificates",
        "secrets",
        "trustd",
        |certificates| !certificates.server.crt.0.is_empty(),
    ))
}

/// Adds the controller that says how apid shall serve.
///
/// # Errors
/// See [`crate::register`].
pub fn register_api_service(controllers: &mut Runtime) -> Result<(), RegisterError> {
    controllers.register(plain(
        "runtime.APIServiceConfigController",
        vec![
            Input::weak::<AcquireConfigStatusSpec>("runtime"),
            Input::weak::<MaintenanceServiceRequestSpec>("runtime"),
        ],
        vec![Output::exclusive::<APIServiceConfigSpec>()],
        |context: &Context| -> Result<Next, ControllerError> {
            let acquired = !context.list::<AcquireConfigStatusSpec>("runtime").is_empty();
            let maintenance = !context.list::<MaintenanceServiceRequestSpec>("runtime").is_empty();
            if acquired || maintenance {
                context.modify::<APIServiceConfigSpec>("runtime", "apid", |spec| {
                    ":50000".clone_into(&mut spec.listen_address);
                    spec.node_routing_disabled = maintenance;
                    spec.readonly_role_mode = maintenance;
                    spec.skip_verifying_client_cert = maintenance;
                })?;
            }
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

/// Adds the controllers of the daemons.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    register_api_service(controllers)?;
    controllers.register(Daemons { node: node.clone(), started: false, signing: false })?;
    Ok(())
}

/// Starts apid at once, and trustd when the node turns out to be a control plane.
struct Daemons {
    node: Node,
    started: bool,
    signing: bool,
}

impl Controller for Daemons {
    fn name(&self) -> &'static str {
        "runtime.DaemonController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<MachineTypeSpec>("config").with_id("machine-type")]
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
            if !self.started {
                supervisor.load(apid(&self.node)).await;
                supervisor.start("apid").await?;
                self.started = true;
            }
            let signs =
                context.get::<MachineTypeSpec>("config", "machine-type").is_some_and(|spec| {
                    matches!(spec.spec.machine_type, MachineType::CONTROL_PLANE | MachineType::INIT)
                });
            if signs && !self.signing {
                supervisor.load(trustd(&self.node)).await;
                supervisor.start("trustd").await?;
                self.signing = true;
            }
            Ok(Next::OnChange)
        })
    }
}
