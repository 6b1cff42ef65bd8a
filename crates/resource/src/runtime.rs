//! The running machine: specs of the contract.

mod kernel;
mod machine;
mod platform;

pub use kernel::{
    KernelCmdlineSpec, KernelModuleSpecSpec, KernelModuleStatusSpec, KernelParamDefaultSpecSpec,
    KernelParamSpecSpec, KernelParamStatusSpec, KmsgLogConfigSpec, LoadedKernelModuleSpec,
    OOMActionSpec, WatchdogTimerConfigSpec, WatchdogTimerStatusSpec,
};
pub use machine::{
    APIServiceConfigSpec, BootIDSpec, BootedEntrySpec, ImageFactorySchematicSpec,
    MachineResetSignalSpec, MachineStatusSpec, MachineStatusStatus, MaintenanceServiceConfigSpec,
    MaintenanceServiceRequestSpec, MetaKeySpec, MetaLoadedSpec, RebootRequestSpec,
    SecurityStateSpec, ServicePIDSpec, UnattendedInstallStatusSpec, UniqueMachineTokenSpec,
    UnmetCondition, VersionSpec,
};
pub use platform::{
    DevicesStatusSpec, DiagnosticSpec, EnvironmentSpec, EventSinkConfigSpec,
    ExtensionCompatibility, ExtensionConstraint, ExtensionMetadata, ExtensionServiceConfigFile,
    ExtensionServiceConfigSpec, ExtensionServiceConfigStatusSpec, ExtensionStatusSpec,
    MountStatusSpec, PlatformMetadataSpec, SBOMItemSpec,
};
