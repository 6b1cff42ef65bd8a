//! Counters of load: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::{Message, Spec};

/// Recent CPU counters; ids: `latest`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "CPUStats.perf.talos.dev",
    namespace = "perf",
    columns = [("User", "{.cpuTotal.user}"), ("System", "{.cpuTotal.system}")],
)]
pub struct CPUSpec {
    #[field(1)]
    pub cpu: Vec<CPUStat>,
    #[field(2, yaml = "cpuTotal")]
    pub cpu_total: CPUStat,
    #[field(3, yaml = "irqTotal")]
    pub irq_total: u64,
    #[field(4, yaml = "contextSwitches")]
    pub context_switches: u64,
    #[field(5, yaml = "processCreated")]
    pub process_created: u64,
    #[field(6, yaml = "processRunning")]
    pub process_running: u64,
    #[field(7, yaml = "processBlocked")]
    pub process_blocked: u64,
    #[field(8, yaml = "softIrqTotal")]
    pub soft_irq_total: u64,
}

/// Recent memory counters; ids: `latest`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MemoryStats.perf.talos.dev",
    namespace = "perf",
    columns = [("Used", "{.used}"), ("Total", "{.total}")],
)]
pub struct MemorySpec {
    #[field(1)]
    pub total: u64,
    #[field(2)]
    pub used: u64,
    #[field(3)]
    pub available: u64,
    #[field(4)]
    pub buffers: u64,
    #[field(5)]
    pub cached: u64,
    #[field(6, yaml = "swapCached")]
    pub swap_cached: u64,
    #[field(7)]
    pub active: u64,
    #[field(8)]
    pub inactive: u64,
    #[field(9, yaml = "activeAnon")]
    pub active_anon: u64,
    #[field(10, yaml = "inactiveAnon")]
    pub inactive_anon: u64,
    #[field(11, yaml = "activeFile")]
    pub active_file: u64,
    #[field(12, yaml = "inactiveFile")]
    pub inactive_file: u64,
    #[field(13)]
    pub unevictable: u64,
    #[field(14)]
    pub mlocked: u64,
    #[field(15, yaml = "swapTotal")]
    pub swap_total: u64,
    #[field(16, yaml = "swapFree")]
    pub swap_free: u64,
    #[field(17)]
    pub dirty: u64,
    #[field(18)]
    pub writeback: u64,
    #[field(19, yaml = "anonPages")]
    pub anon_pages: u64,
    #[field(20)]
    pub mapped: u64,
    #[field(21)]
    pub shmem: u64,
    #[field(22)]
    pub slab: u64,
    #[field(23)]
    pub sreclaimable: u64,
    #[field(24)]
    pub sunreclaim: u64,
    #[field(25, yaml = "kernelStack")]
    pub kernel_stack: u64,
    #[field(26, yaml = "pageTables")]
    pub page_tables: u64,
    #[field(27)]
    pub nfsunstable: u64,
    #[field(28)]
    pub bounce: u64,
    #[field(29, yaml = "writeBacktmp")]
    pub write_backtmp: u64,
    #[field(30, yaml = "commitLimit")]
    pub commit_limit: u64,
    #[field(31, yaml = "commitTedas")]
    pub commit_tedas: u64,
    #[field(32, yaml = "vmallocTotal")]
    pub vmalloc_total: u64,
    #[field(33, yaml = "vmallocUsed")]
    pub vmalloc_used: u64,
    #[field(34, yaml = "vmallocChunk")]
    pub vmalloc_chunk: u64,
    #[field(35, yaml = "hardwareCorrupted")]
    pub hardware_corrupted: u64,
    #[field(36, yaml = "anonHugePages")]
    pub anon_huge_pages: u64,
    #[field(37, yaml = "shmemHugePages")]
    pub shmem_huge_pages: u64,
    #[field(38, yaml = "shmemPmdMapped")]
    pub shmem_pmd_mapped: u64,
    #[field(39, yaml = "cmaTotal")]
    pub cma_total: u64,
    #[field(40, yaml = "cmaFree")]
    pub cma_free: u64,
    #[field(41, yaml = "hugePagesTotal")]
    pub huge_pages_total: u64,
    #[field(42, yaml = "hugePagesFree")]
    pub huge_pages_free: u64,
    #[field(43, yaml = "hugePagesRsvd")]
    pub huge_pages_rsvd: u64,
    #[field(44, yaml = "hugePagesSurp")]
    pub huge_pages_surp: u64,
    #[field(45)]
    pub hugepagesize: u64,
    #[field(46, yaml = "directMap4k")]
    pub direct_map4k: u64,
    #[field(47, yaml = "directMap2m")]
    pub direct_map2m: u64,
    #[field(48, yaml = "directMap1g")]
    pub direct_map1g: u64,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct CPUStat {
    #[field(1)]
    pub user: f64,
    #[field(2)]
    pub nice: f64,
    #[field(3)]
    pub system: f64,
    #[field(4)]
    pub idle: f64,
    #[field(5)]
    pub iowait: f64,
    #[field(6)]
    pub irq: f64,
    #[field(7, yaml = "softIrq")]
    pub soft_irq: f64,
    #[field(8)]
    pub steal: f64,
    #[field(9)]
    pub guest: f64,
    #[field(10, yaml = "guestNice")]
    pub guest_nice: f64,
}
