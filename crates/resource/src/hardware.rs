//! Hardware inventory: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;

/// CPU core from /proc/cpuinfo.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "CPUCores.hardware.talos.dev",
    namespace = "hardware",
    aliases = ["cpucore", "cpucores"],
    columns = [("Socket", "{.socket}"), ("Core", "{.coreID}"), ("Model", "{.modelName}"), ("Logical CPUs", "{.logicalCPUs}")],
)]
pub struct CPUCoreSpec {
    #[field(1, omit)]
    pub socket: String,
    #[field(2, yaml = "coreID", omit)]
    pub core_id: String,
    #[field(3, yaml = "logicalCPUs", omit)]
    pub logical_cpus: Vec<u32>,
    #[field(4, yaml = "vendorID", omit)]
    pub vendor_id: String,
    #[field(5, yaml = "cpuFamily", omit)]
    pub cpu_family: String,
    #[field(6, omit)]
    pub model: String,
    #[field(7, yaml = "modelName", omit)]
    pub model_name: String,
    #[field(8, omit)]
    pub stepping: String,
    #[field(9, omit)]
    pub microcode: String,
    #[field(10, yaml = "cacheSize", omit)]
    pub cache_size: String,
    #[field(11, yaml = "coresPerSocket", omit)]
    pub cores_per_socket: u32,
    #[field(12, yaml = "threadsPerSocket", omit)]
    pub threads_per_socket: u32,
    #[field(13, omit)]
    pub flags: Vec<String>,
    #[field(14, omit)]
    pub bugs: Vec<String>,
    #[field(15, yaml = "bogoMips", omit)]
    pub bogo_mips: f64,
    #[field(16, yaml = "addressSizes", omit)]
    pub address_sizes: String,
}

/// DIMM from SMBIOS.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MemoryModules.hardware.talos.dev",
    namespace = "hardware",
    aliases = ["memorymodules", "ram"],
    columns = [("Manufacturer", "{.manufacturer}"), ("Model", "{.productName}"), ("SizeMiB", "{.sizeMiB}")],
)]
pub struct MemoryModuleSpec {
    #[field(1, yaml = "sizeMiB", omit)]
    pub size_mib: u32,
    #[field(2, yaml = "deviceLocator", omit)]
    pub device_locator: String,
    #[field(3, yaml = "bankLocator", omit)]
    pub bank_locator: String,
    #[field(4, omit)]
    pub speed: u32,
    #[field(5, omit)]
    pub manufacturer: String,
    #[field(6, yaml = "serialNumber", omit)]
    pub serial_number: String,
    #[field(7, yaml = "assetTag", omit)]
    pub asset_tag: String,
    #[field(8, yaml = "productName", omit)]
    pub product_name: String,
}

/// PCI device with ids, names, driver.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "PCIDevices.hardware.talos.dev",
    namespace = "hardware",
    aliases = ["devices", "device"],
    columns = [("Class", "{.class}"), ("Subclass", "{.subclass}"), ("Vendor", "{.vendor}"), ("Product", "{.product}")],
)]
pub struct PCIDeviceSpec {
    #[field(1, omit)]
    pub class: String,
    #[field(2, omit)]
    pub subclass: String,
    #[field(3, omit)]
    pub vendor: String,
    #[field(4, omit)]
    pub product: String,
    #[field(5)]
    pub class_id: String,
    #[field(6)]
    pub subclass_id: String,
    #[field(7)]
    pub vendor_id: String,
    #[field(8)]
    pub product_id: String,
    #[field(9, omit)]
    pub driver: String,
}

/// Wanted driver for a PCI device.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "PCIDriverRebindConfigs.runtime.talos.dev",
    namespace = "hardware",
    columns = [("Name", "{.name}"), ("PCI ID", "{.pciID}"), ("TargetDriver", "{.targetDriver}")],
)]
pub struct PCIDriverRebindConfigSpec {
    #[field(1, yaml = "pciID")]
    pub pci_id: String,
    #[field(2, yaml = "targetDriver")]
    pub target_driver: String,
}

/// Driver rebind done.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "PCIDriverRebindStatuses.runtime.talos.dev",
    namespace = "hardware",
    aliases = ["pcidriverrebinds"],
    columns = [("Name", "{.name}"), ("PCI ID", "{.pciID}"), ("TargetDriver", "{.targetDriver}")],
)]
pub struct PCIDriverRebindStatusSpec {
    #[field(1, yaml = "pciID")]
    pub pci_id: String,
    #[field(2, yaml = "targetDriver")]
    pub target_driver: String,
}

/// TPM PCR extension done for a boot stage (empty spec).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "PCRStatuses.hardware.talos.dev", namespace = "hardware")]
pub struct PCRStatusSpec {}

/// CPU socket from SMBIOS.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Processors.hardware.talos.dev",
    namespace = "hardware",
    aliases = ["cpus", "cpu"],
    columns = [("Manufacturer", "{.manufacturer}"), ("Model", "{.productName}"), ("Cores", "{.coreCount}"), ("Threads", "{.threadCount}")],
)]
pub struct ProcessorSpec {
    #[field(1, omit)]
    pub socket: String,
    #[field(2, omit)]
    pub manufacturer: String,
    #[field(3, yaml = "productName", omit)]
    pub product_name: String,
    #[field(4, yaml = "maxSpeedMhz", omit)]
    pub max_speed_mhz: u32,
    #[field(5, yaml = "bootSpeedMhz", omit)]
    pub boot_speed_mhz: u32,
    #[field(6, omit)]
    pub status: u32,
    #[field(7, yaml = "serialNumber", omit)]
    pub serial_number: String,
    #[field(8, yaml = "assetTag", omit)]
    pub asset_tag: String,
    #[field(9, yaml = "partNumber", omit)]
    pub part_number: String,
    #[field(10, yaml = "coreCount", omit)]
    pub core_count: u32,
    #[field(11, yaml = "coreEnabled", omit)]
    pub core_enabled: u32,
    #[field(12, yaml = "threadCount", omit)]
    pub thread_count: u32,
}

/// SMBIOS system table: vendor, product, serial, UUID; ids: `systeminformation`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SystemInformations.hardware.talos.dev",
    namespace = "hardware",
    columns = [("Manufacturer", "{.manufacturer}"), ("ProductName", "{.productName}"), ("Version", "{.version}"), ("SerialNumber", "{.serialnumber}"), ("UUID", "{.uuid}"), ("WakeUpType", "{.wakeUpType}"), ("SKUNumber", "{.skuNumber}")],
)]
pub struct SystemInformationSpec {
    #[field(1, omit)]
    pub manufacturer: String,
    #[field(2, yaml = "productName", omit)]
    pub product_name: String,
    #[field(3, omit)]
    pub version: String,
    #[field(8, yaml = "biosVersion", omit)]
    pub bios_version: String,
    #[field(4, omit)]
    pub serialnumber: String,
    #[field(5, omit)]
    pub uuid: String,
    #[field(6, yaml = "wakeUpType", omit)]
    pub wake_up_type: String,
    #[field(7, yaml = "skuNumber", omit)]
    pub sku_number: String,
}
