//! LVM and software RAID: specs of the contract.

mod lvm;
mod md;

pub use lvm::{
    LVMLogicalVolumeSpecSpec, LVMLogicalVolumeStatusSpec, LVMPhysicalVolumeSpecSpec,
    LVMPhysicalVolumeStatusSpec, LVMRefreshRequestSpec, LVMValidationErrorSpec,
    LVMVolumeGroupSpecSpec, LVMVolumeGroupStatusSpec,
};
pub use md::{MDArraySpecSpec, MDArrayStatusSpec, MDRefreshRequestSpec};
