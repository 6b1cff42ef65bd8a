//! The running machine (machine state): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::{FIPSState, MachineStage, SELinuxState, UnattendedInstallPhase};
use crate::types::NetIp;
use crate::{Message, Spec};

/// How apid listens and which checks it relaxes; ids: `apid`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "APIServiceConfigs.runtime.talos.dev", namespace = "runtime")]
pub struct APIServiceConfigSpec {
    #[field(1, yaml = "listenAddress")]
    pub listen_address: String,
    #[field(2, yaml = "nodeRoutingDisabled")]
    pub node_routing_disabled: bool,
    #[field(3, yaml = "readonlyRoleMode")]
    pub readonly_role_mode: bool,
    #[field(4, yaml = "skipVerifyingClientCert")]
    pub skip_verifying_client_cert: bool,
}

/// Boot loader entry used for this boot; ids: `bootedentry`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "BootedEntries.talos.dev",
    namespace = "runtime",
    columns = [("Booted Entry", "{.bootedEntry}")],
)]
pub struct BootedEntrySpec {
    #[field(1, yaml = "bootedEntry", omit)]
    pub booted_entry: String,
}

/// Kernel boot id; ids: `boot-id`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "BootIDs.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Boot ID", "{.bootID}")],
)]
pub struct BootIDSpec {
    #[field(1, yaml = "bootID")]
    pub boot_id: String,
}

/// Image Factory schematic baked in the image; ids: `image-factory-schematic`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ImageFactorySchematics.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Schematic ID", "{.schematicId}"), ("Flavor", "{.flavor}"), ("API URL", "{.apiUrl}")],
)]
pub struct ImageFactorySchematicSpec {
    #[field(1, yaml = "schematicId")]
    pub schematic_id: String,
    #[field(2)]
    pub flavor: String,
    #[field(3, yaml = "apiUrl")]
    pub api_url: String,
}

/// Listen address in maintenance mode; ids: `maintenance`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "MaintenanceServiceConfigs.runtime.talos.dev", namespace = "runtime")]
pub struct MaintenanceServiceConfigSpec {
    #[field(1, yaml = "listenAddress")]
    pub listen_address: String,
    #[field(2, yaml = "reachableAddresses")]
    pub reachable_addresses: Vec<NetIp>,
}

/// Presence means run maintenance API; ids: `maintenance`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "MaintenanceServiceRequests.runtime.talos.dev", namespace = "runtime")]
pub struct MaintenanceServiceRequestSpec {}

/// Presence means machine is about to be reset; ids: `machine`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "MachineResetSignals.runtime.talos.dev", namespace = "runtime")]
pub struct MachineResetSignalSpec {}

/// Presence asks for a reboot; ids: `reboot-request`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "RebootRequests.runtime.talos.dev", namespace = "runtime")]
pub struct RebootRequestSpec {}

/// Stage, ready flag, unmet conditions; ids: `machine`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MachineStatuses.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Stage", "{.stage}"), ("Ready", "{.status.ready}")],
)]
pub struct MachineStatusSpec {
    #[field(1)]
    pub stage: MachineStage,
    #[field(2)]
    pub status: MachineStatusStatus,
}

/// META partition key (id 0x%02x).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MetaKeys.runtime.talos.dev",
    namespace = "runtime",
    aliases = ["meta"],
    columns = [("Value", "{.value}")],
)]
pub struct MetaKeySpec {
    #[field(1)]
    pub value: String,
}

/// META was read; ids: `meta-loaded`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MetaLoads.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Done", "{.done}")],
)]
pub struct MetaLoadedSpec {
    #[field(1)]
    pub done: bool,
}

/// SecureBoot, UKI, SELinux, FIPS, module signing state; ids: `securitystate`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SecurityStates.talos.dev",
    namespace = "runtime",
    columns = [("SecureBoot", "{.secureBoot}"), ("UKISigningKeyFingerprint", "{.ukiSigningKeyFingerprint}"), ("PCRSigningKeyFingerprint", "{.pcrSigningKeyFingerprint}"), ("SELinuxState", "{.selinuxState}"), ("ModuleSignatureEnforced", "{.moduleSignatureEnforced}")],
)]
pub struct SecurityStateSpec {
    #[field(1, yaml = "secureBoot")]
    pub secure_boot: bool,
    #[field(2, yaml = "ukiSigningKeyFingerprint", omit)]
    pub uki_signing_key_fingerprint: String,
    #[field(3, yaml = "pcrSigningKeyFingerprint", omit)]
    pub pcr_signing_key_fingerprint: String,
    #[field(4, yaml = "selinuxState", omit)]
    pub selinux_state: SELinuxState,
    #[field(6, yaml = "fipsState", omit)]
    pub fips_state: FIPSState,
    #[field(5, yaml = "bootedWithUKI", omit)]
    pub booted_with_uki: bool,
    #[field(7, yaml = "moduleSignatureEnforced", omit)]
    pub module_signature_enforced: bool,
}

/// PID and mount namespace of a service.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ServicePIDs.runtime.talos.dev",
    namespace = "runtime",
    columns = [("PID", "{.pid}")],
)]
pub struct ServicePIDSpec {
    #[field(1)]
    pub pid: i32,
    #[field(2, yaml = "mountNamespace")]
    pub mount_namespace: String,
}

/// Unique machine token from META; ids: `unique-machine-token`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "UniqueMachineTokens.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Token", "{.token}")],
)]
pub struct UniqueMachineTokenSpec {
    #[field(1)]
    pub token: String,
}

/// Progress of unattended install; ids: `unattended-install`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "UnattendedInstallStatuses.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Phase", "{.phase}")],
)]
pub struct UnattendedInstallStatusSpec {
    #[field(1, omit)]
    pub image: String,
    #[field(2, omit)]
    pub phase: UnattendedInstallPhase,
    #[field(3, omit)]
    pub error: String,
}

/// Running Talos name and version (id version).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Versions.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Name", "{.name}"), ("Version", "{.version}")],
)]
pub struct VersionSpec {
    #[field(2)]
    pub name: String,
    #[field(1)]
    pub version: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct MachineStatusStatus {
    #[field(1)]
    pub ready: bool,
    #[field(2, yaml = "unmetConditions")]
    pub unmet_conditions: Vec<UnmetCondition>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct UnmetCondition {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub reason: String,
}
