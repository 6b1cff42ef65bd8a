//! How a volume is encrypted.

use config_derive::Section;

use crate::List;
use crate::v1alpha1::{KmsKey, NodeIdKey, StaticKey};

/// How a volume is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Encryption {
    /// The format.
    #[field(values = "luks2", required)]
    pub provider: String,
    /// The keys, any of which opens the volume.
    #[field(required)]
    pub keys: List<VolumeKey>,
    /// The cipher.
    pub cipher: String,
    /// The size of the key in bits.
    pub key_size: u32,
    /// The size of an encrypted block in bytes.
    pub block_size: u64,
    /// Options of the mapping.
    pub options: List<String>,
    /// Passes discards through to the disk.
    #[field(default = "false", since = "1.14")]
    pub allow_discards: Option<bool>,
}

/// A key of a volume.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct VolumeKey {
    /// The slot of the key.
    #[field(keep)]
    pub slot: i64,
    /// A fixed passphrase.
    #[field(name = "static")]
    pub fixed: Option<StaticKey>,
    /// A key derived from the identity of the machine.
    #[field(name = "nodeID")]
    pub node_id: Option<NodeIdKey>,
    /// A key kept by a key server.
    pub kms: Option<KmsKey>,
    /// A key sealed by the TPM.
    pub tpm: Option<VolumeTpmKey>,
    /// Mixes a secret of the STATE volume into the key.
    #[field(default = "false", since = "1.12")]
    pub lock_to_state: Option<bool>,
}

/// A key sealed by the TPM.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct VolumeTpmKey {
    /// How the key is sealed.
    pub options: Option<TpmOptions>,
    /// Seals the key only when secure boot is on.
    #[field(default = "false")]
    pub check_secureboot_status_on_enroll: Option<bool>,
}

/// How a key is sealed.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct TpmOptions {
    /// The measurements that must not change; an empty list means none.
    #[field(default = "7")]
    pub pcrs: List<i64>,
}
