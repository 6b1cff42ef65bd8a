//! Enumerations of the machine: numbers on the wire, texts in YAML.
#![allow(missing_docs)] // The values are the contract's.

use super::enumeration;

enumeration! {
    /// `ContainerImagePhase` of the contract.
    ContainerImagePhase {
        PENDING = 0 => "pending",
        PULLING = 1 => "pulling",
        READY = 2 => "ready",
        FAILED = 3 => "failed",
    }
}

enumeration! {
    /// `FIPSState` of the contract.
    FIPSState {
        DISABLED = 0 => "disabled",
        ENABLED = 1 => "enabled",
        STRICT = 2 => "enabled, strict",
    }
}

enumeration! {
    /// `ImageCacheCopyStatus` of the contract.
    ImageCacheCopyStatus {
        UNKNOWN = 0 => "unknown",
        SKIPPED = 1 => "skipped",
        PENDING = 2 => "copying",
        READY = 3 => "ready",
    }
}

enumeration! {
    /// `ImageCacheStatus` of the contract.
    ImageCacheStatus {
        UNKNOWN = 0 => "unknown",
        DISABLED = 1 => "disabled",
        PREPARING = 2 => "preparing",
        READY = 3 => "ready",
    }
}

enumeration! {
    /// `KernelModuleState` of the contract.
    KernelModuleState {
        LIVE = 0 => "live",
        LOADING = 1 => "loading",
        UNLOADING = 2 => "unloading",
        BUILTIN = 3 => "built-in",
    }
}

enumeration! {
    /// `KernelModuleType` of the contract.
    KernelModuleType {
        UNKNOWN = 0 => "unknown",
        BUILTIN = 1 => "built-in",
        DYNAMIC = 2 => "dynamic",
    }
}

enumeration! {
    /// `MachineStage` of the contract.
    MachineStage {
        UNKNOWN = 0 => "unknown",
        BOOTING = 1 => "booting",
        INSTALLING = 2 => "installing",
        MAINTENANCE = 3 => "maintenance",
        RUNNING = 4 => "running",
        REBOOTING = 5 => "rebooting",
        SHUTTING_DOWN = 6 => "shutting down",
        RESETTING = 7 => "resetting",
        UPGRADING = 8 => "upgrading",
    }
}

enumeration! {
    /// `MachineType` of the contract.
    MachineType {
        UNKNOWN = 0 => "unknown",
        INIT = 1 => "init",
        CONTROL_PLANE = 2 => "controlplane",
        WORKER = 3 => "worker",
    }
}

enumeration! {
    /// `SELinuxState` of the contract.
    SELinuxState {
        DISABLED = 0 => "disabled",
        PERMISSIVE = 1 => "enabled, permissive",
        ENFORCING = 2 => "enabled, enforcing",
    }
}

enumeration! {
    /// `UnattendedInstallPhase` of the contract.
    UnattendedInstallPhase {
        PENDING = 0 => "pending",
        INSTALLING = 1 => "installing",
        INSTALLED = 2 => "installed",
        WAITING_FOR_REBOOT = 3 => "waiting-for-reboot",
        FAILED = 4 => "failed",
    }
}

enumeration! {
    /// Who may read a resource type.
    Sensitivity {
        NON_SENSITIVE = 0 => "",
        SENSITIVE = 1 => "sensitive",
    }
}
