//! Disks, volumes and mounts: specs of the contract.

mod disk;
mod mount;
mod volume;

pub use disk::{
    DeviceSpec, DiscoveredVolumeSpec, DiscoveredVolumesStatusSpec, DiscoveryRefreshRequestSpec,
    DiscoveryRefreshStatusSpec, DiskSpec, SystemDiskSpec, UserDiskConfigStatusSpec,
    VolumeMountRequestSpec, VolumeMountStatusSpec,
};
pub use mount::{
    FSScrubScheduleSpec, FSScrubStatusSpec, MountRequestSpec, MountSpec, MountStatusSpec,
    ParameterSpec, SwapStatusSpec, ZswapStatusSpec,
};
pub use volume::{
    DiskSelector, EncryptionKey, EncryptionSpec, FilesystemSpec, LocatorSpec, PartitionSpec,
    ProvisioningSpec, SymlinkProvisioningSpec, SymlinkSpec, TPMEncryptionOptionsInfo,
    VolumeConfigSpec, VolumeLifecycleSpec, VolumeStatusSpec, VolumeTrimScheduleSpec,
};
