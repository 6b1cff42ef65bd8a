//! Enumerations of disks and volumes: numbers on the wire, texts in YAML.
#![allow(missing_docs)] // The values are the contract's.

use super::enumeration;

enumeration! {
    /// `EncryptionKeyType` of the contract.
    EncryptionKeyType {
        STATIC = 0 => "static",
        NODE_ID = 1 => "nodeID",
        KMS = 2 => "kms",
        TPM = 3 => "tpm",
    }
}

enumeration! {
    /// `EncryptionProviderType` of the contract.
    EncryptionProviderType {
        NONE = 0 => "none",
        LUKS2 = 1 => "luks2",
    }
}

enumeration! {
    /// `FSParameterType` of the contract.
    FSParameterType {
        STRING_VALUE = 0 => "string",
        BOOLEAN_VALUE = 1 => "boolean",
        BINARY_VALUE = 2 => "binary",
    }
}

enumeration! {
    /// `FilesystemType` of the contract.
    FilesystemType {
        NONE = 0 => "none",
        XFS = 1 => "xfs",
        VFAT = 2 => "vfat",
        EXT4 = 3 => "ext4",
        ISO9660 = 4 => "iso9660",
        SWAP = 5 => "swapi",
        VIRTIOFS = 6 => "virtiofs",
        BTRFS = 7 => "btrfs",
    }
}

enumeration! {
    /// `LVMLogicalVolumeType` of the contract.
    LVMLogicalVolumeType {
        LINEAR = 0 => "linear",
        RAID1 = 1 => "raid1",
        RAID0 = 2 => "raid0",
        RAID10 = 3 => "raid10",
    }
}

enumeration! {
    /// `MDArrayPhase` of the contract.
    MDArrayPhase {
        UNKNOWN = 0 => "unknown",
        WAITING = 1 => "waiting",
        REBUILDING = 2 => "rebuilding",
        READY = 3 => "ready",
        ERROR = 4 => "error",
    }
}

enumeration! {
    /// `MDLevel` of the contract.
    MDLevel {
        RAID1 = 0 => "raid1",
    }
}

enumeration! {
    /// `MDMetadata` of the contract.
    MDMetadata {
        V1_0 = 0 => "1.0",
        V1_2 = 1 => "1.2",
    }
}

enumeration! {
    /// `VolumePhase` of the contract.
    VolumePhase {
        WAITING = 0 => "waiting",
        FAILED = 1 => "failed",
        MISSING = 2 => "missing",
        LOCATED = 3 => "located",
        PROVISIONED = 4 => "provisioned",
        PREPARED = 5 => "prepared",
        READY = 6 => "ready",
        CLOSED = 7 => "closed",
    }
}

enumeration! {
    /// `VolumeType` of the contract.
    VolumeType {
        PARTITION = 0 => "partition",
        DISK = 1 => "disk",
        TMPFS = 2 => "tmpfs",
        DIRECTORY = 3 => "directory",
        SYMLINK = 4 => "symlink",
        OVERLAY = 5 => "overlay",
        EXTERNAL = 6 => "external",
    }
}
