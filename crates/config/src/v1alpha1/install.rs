//! `machine.install`, `machine.disks` and `machine.systemDiskEncryption`.

use config_derive::Section;

use crate::List;
use crate::scalar::{DiskSize, DiskSizeMatch};

/// How the system is written to disk.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Install {
    /// The disk.
    pub disk: String,
    /// Finds the disk by what it is; wins over `disk`.
    pub disk_selector: Option<DiskSelector>,
    /// Words added to the kernel command line.
    pub extra_kernel_args: List<String>,
    /// The installer image.
    pub image: String,
    /// System extensions.
    pub extensions: List<Extension>,
    /// Has no effect any more.
    #[field(ignored)]
    pub bootloader: Option<bool>,
    /// Wipes the disk before installation.
    #[field(keep, default = "false")]
    pub wipe: Option<bool>,
    /// Marks the boot partition active, for old firmware.
    #[field(name = "legacyBIOSSupport", default = "false")]
    pub legacy_bios_support: Option<bool>,
    /// Lets GRUB take the command line from the unified kernel image.
    #[field(name = "grubUseUKICmdline", default = "false", since = "1.12")]
    pub grub_use_uki_cmdline: Option<bool>,
}

/// Finds a disk by what it is; all given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct DiskSelector {
    /// Condition on the size, such as `>= 1TB`.
    pub size: Option<DiskSizeMatch>,
    /// Pattern of the name; not supported.
    pub name: String,
    /// Pattern of the model.
    pub model: String,
    /// Pattern of the serial number.
    pub serial: String,
    /// Pattern of the module alias.
    pub modalias: String,
    /// Pattern of the UUID.
    pub uuid: String,
    /// Pattern of the world-wide name.
    pub wwid: String,
    /// What sort of disk it is.
    #[field(name = "type", values = "ssd, hdd, nvme, sd")]
    pub kind: String,
    /// Pattern of the bus path.
    pub bus_path: String,
}

/// A system extension.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Extension {
    /// The image.
    pub image: String,
}

/// A further disk.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Disk {
    /// The device.
    pub device: String,
    /// Its partitions.
    pub partitions: List<Option<Partition>>,
}

/// A partition of a further disk.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Partition {
    /// The size; zero means the rest of the disk and is allowed only for the last partition.
    pub size: DiskSize,
    /// Where the partition is mounted.
    pub mountpoint: String,
}

/// Encryption of the system's own partitions.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct SystemDiskEncryption {
    /// The partition that holds the configuration.
    pub state: Option<DiskEncryption>,
    /// The partition that holds everything that changes.
    pub ephemeral: Option<DiskEncryption>,
}

/// Encryption of one partition.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct DiskEncryption {
    /// The format.
    #[field(default = "luks2")]
    pub provider: String,
    /// The keys, any of which opens the partition.
    pub keys: List<Option<EncryptionKey>>,
    /// The cipher.
    pub cipher: String,
    /// The size of the key in bits.
    pub key_size: u32,
    /// The size of an encrypted block in bytes.
    pub block_size: u64,
    /// Options of the mapping.
    pub options: List<String>,
}

/// A key of an encrypted partition.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct EncryptionKey {
    /// A fixed passphrase.
    #[field(name = "static")]
    pub fixed: Option<StaticKey>,
    /// A key derived from the identity of the machine.
    #[field(name = "nodeID")]
    pub node_id: Option<NodeIdKey>,
    /// A key kept by a key server.
    pub kms: Option<KmsKey>,
    /// The slot of the key.
    #[field(keep)]
    pub slot: i64,
    /// A key sealed by the TPM.
    pub tpm: Option<TpmKey>,
}

/// A fixed passphrase.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct StaticKey {
    /// The passphrase.
    #[field(secret)]
    pub passphrase: String,
}

/// A key derived from the identity of the machine.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct NodeIdKey {}

/// A key kept by a key server.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KmsKey {
    /// Where the key server listens.
    #[field(keep)]
    pub endpoint: String,
}

/// A key sealed by the TPM.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct TpmKey {
    /// Seals the key only when secure boot is on.
    #[field(default = "false")]
    pub check_secureboot_status_on_enroll: Option<bool>,
}
