//! What the machine is and shall be: version, name, configuration, bootstrap, reboot, shutdown, reset.
//!
//! Must never: act; every change is a request to the node.

use api::{
    machine::{
        self, ApplyConfiguration, ApplyConfigurationRequest, Bootstrap, BootstrapRequest,
        FeaturesInfo, Hostname, PlatformInfo, Reboot, RebootRequest, Reset, ResetRequest, Shutdown,
        ShutdownRequest, Version, VersionInfo, apply_configuration_request::Mode,
    },
    version,
};
use resource::{
    config::MachineTypeSpec, enums::MachineType, network::HostnameStatusSpec,
    v1alpha1::AcquireConfigStatusSpec,
};
use runtime::{
    Store,
    command::{self, ApplyMode, CommandError, Refusal},
};
use tonic::Status;

use super::Node;
use crate::role::{Grants, Roles};

/// Whether the machine has a complete configuration, which ends maintenance.
pub(crate) fn is_configured(store: &Store) -> bool {
    store.get::<AcquireConfigStatusSpec>("runtime", "acquire-config").is_some()
}

/// Refuses on any node that is not of the control plane.
pub(crate) fn control_plane_only(store: &Store, method: &str) -> Result<(), Status> {
    let kind = store
        .get::<MachineTypeSpec>("config", "machine-type")
        .map_or(MachineType::UNKNOWN, |found| found.spec.machine_type);
    if kind == MachineType::CONTROL_PLANE || kind == MachineType::INIT {
        return Ok(());
    }
    Err(Status::unimplemented(format!("{method} is only available on control plane nodes")))
}

/// The answer to a refused request.
pub(super) fn refused(error: CommandError) -> Status {
    let text = error.message;
    match error.refusal {
        Refusal::InvalidArgument => Status::invalid_argument(text),
        Refusal::FailedPrecondition => Status::failed_precondition(text),
        Refusal::AlreadyExists => Status::already_exists(text),
        Refusal::NotFound => Status::not_found(text),
        Refusal::Unimplemented => Status::unimplemented(text),
        Refusal::PermissionDenied => Status::permission_denied(text),
        Refusal::Unavailable => Status::unavailable(text),
        Refusal::Internal => Status::internal(text),
    }
}

pub(super) fn version(node: &Node) -> Version {
    Version {
        metadata: None,
        version: Some(VersionInfo {
            tag: version::TAG.to_owned(),
            sha: version::SHA.to_owned(),
            built: version::BUILT.to_owned(),
            go_version: version::TOOLCHAIN.to_owned(),
            os: version::OS.to_owned(),
            arch: version::ARCH.to_owned(),
        }),
        platform: Some(PlatformInfo {
            name: node.platform.name.clone(),
            mode: node.platform.mode.clone(),
        }),
        features: Some(FeaturesInfo { rbac: is_configured(&node.store) }),
    }
}

pub(super) fn hostname(node: &Node) -> Result<Hostname, Status> {
    if let Some(status) = node.store.get::<HostnameStatusSpec>("network", "hostname") {
        return Ok(Hostname { metadata: None, hostname: status.spec.hostname.clone() });
    }
    // Before the network is set up, the kernel's word is all there is.
    let name = std::fs::read_to_string(node.places.root.join("proc/sys/kernel/hostname"))
        .map_err(|error| Status::internal(format!("reading the kernel's host name: {error}")))?;
    Ok(Hostname { metadata: None, hostname: name.trim().to_owned() })
}

pub(super) async fn apply(
    node: &Node,
    roles: &Roles,
    request: ApplyConfigurationRequest,
) -> Result<ApplyConfiguration, Status> {
    let configured = is_configured(&node.store);
    let administrator = roles.grants().contains(Grants::ADMIN);
    let mode = match request.mode() {
        Mode::Reboot if configured => {
            return Err(Status::unimplemented(
                "mode REBOOT is gone: apply with NO_REBOOT or STAGED, then reboot",
            ));
        }
        Mode::Reboot => ApplyMode::Reboot,
        Mode::Auto => ApplyMode::Auto,
        Mode::NoReboot => ApplyMode::NoReboot,
        Mode::Staged => ApplyMode::Staged,
        Mode::Try => ApplyMode::Try,
    };
    let try_timeout = request
        .try_mode_timeout
        .map(std::time::Duration::try_from)
        .transpose()
        .map_err(|_| Status::invalid_argument("the time to try a configuration is negative"))?;
    let applied = node
        .commands
        .apply_configuration(command::ApplyConfiguration {
            data: request.data,
            mode,
            dry_run: request.dry_run,
            administrator,
            try_timeout,
        })
        .await
        .map_err(refused)?;
    let mode = match applied.mode {
        ApplyMode::Reboot => Mode::Reboot,
        ApplyMode::Auto => Mode::Auto,
        ApplyMode::NoReboot => Mode::NoReboot,
        ApplyMode::Staged => Mode::Staged,
        ApplyMode::Try => Mode::Try,
    };
    Ok(ApplyConfiguration {
        metadata: None,
        warnings: applied.warnings,
        mode: mode.into(),
        mode_details: applied.details,
    })
}

pub(super) async fn bootstrap(node: &Node, request: BootstrapRequest) -> Result<Bootstrap, Status> {
    control_plane_only(&node.store, "Bootstrap")?;
    let request = command::Bootstrap {
        recover: request.recover_etcd,
        skip_hash_check: request.recover_skip_hash_check,
    };
    node.commands.bootstrap(request).await.map_err(refused)?;
    Ok(Bootstrap { metadata: None })
}

pub(super) async fn reboot(node: &Node, request: RebootRequest) -> Result<Reboot, Status> {
    let mode = match request.mode() {
        machine::reboot_request::Mode::Default => command::RebootMode::Default,
        machine::reboot_request::Mode::Powercycle => command::RebootMode::PowerCycle,
        machine::reboot_request::Mode::Force => command::RebootMode::Force,
    };
    let actor = node.commands.reboot(mode).await.map_err(refused)?;
    Ok(Reboot { metadata: None, actor_id: actor.0 })
}

pub(super) async fn shutdown(node: &Node, request: ShutdownRequest) -> Result<Shutdown, Status> {
    let actor = node.commands.shutdown(request.force).await.map_err(refused)?;
    Ok(Shutdown { metadata: None, actor_id: actor.0 })
}

pub(super) async fn reset(node: &Node, request: ResetRequest) -> Result<Reset, Status> {
    use machine::reset_request::WipeMode;
    let mode = request.mode();
    if mode == WipeMode::SystemDisk && !request.user_disks_to_wipe.is_empty() {
        return Err(Status::invalid_argument(
            "mode SYSTEM_DISK wipes no user disks: leave them out, or use mode ALL",
        ));
    }
    if mode == WipeMode::UserDisks && !request.system_partitions_to_wipe.is_empty() {
        return Err(Status::invalid_argument(
            "mode USER_DISKS wipes no system partitions: leave them out, or use mode ALL",
        ));
    }
    let wiped = request.system_partitions_to_wipe.into_iter().filter(|partition| partition.wipe);
    let request = command::Reset {
        graceful: request.graceful,
        reboot: request.reboot,
        system_partitions: wiped.map(|partition| partition.label).collect(),
        user_disks: request.user_disks_to_wipe,
    };
    let actor = node.commands.reset(request).await.map_err(refused)?;
    Ok(Reset { metadata: None, actor_id: actor.0 })
}
