//! `processes`, `memory`, `mounts`: what runs and what is used.

use api::machine::{MemInfo, MountStat, ProcessInfo};
use client::Named;

use crate::{
    files,
    output::{size, table::Table},
    remote::{self, InsecureArgs, RemoteArgs},
};

/// Order of processes.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sort {
    Rss,
    Cpu,
}

/// Arguments of `processes`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProcessesArgs {
    /// What to sort by, largest first
    #[arg(short, long, value_enum, default_value = "rss")]
    sort: Sort,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Arguments of `memory`.
#[derive(Debug, clap::Args)]
pub(crate) struct MemoryArgs {
    /// Every figure that the kernel gives
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

/// Arguments of `mounts`.
#[derive(Debug, clap::Args)]
pub(crate) struct MountsArgs {
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Lists processes.
pub(crate) fn processes(arguments: ProcessesArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| async move {
            node.machine().processes(()).await.named(node, "MachineService/Processes")
        })
        .await;
        let mut table = Table::new([
            "NODE", "PID", "STATE", "THREADS", "CPU-TIME", "VIRTMEM", "RESMEM", "LABEL", "COMMAND",
        ]);
        for (node, answer) in answers {
            let mut processes: Vec<ProcessInfo> =
                answer.messages.into_iter().flat_map(|message| message.processes).collect();
            match arguments.sort {
                Sort::Rss => {
                    processes.sort_by_key(|process| std::cmp::Reverse(process.resident_memory))
                }
                Sort::Cpu => {
                    processes.sort_by(|left, right| right.cpu_time.total_cmp(&left.cpu_time))
                }
            }
            for process in processes {
                table.row(vec![
                    node.name().to_owned(),
                    process.pid.to_string(),
                    process.state.clone(),
                    process.threads.to_string(),
                    format!("{:.2}", process.cpu_time),
                    size::decimal(process.virtual_memory),
                    size::decimal(process.resident_memory),
                    process.label.clone(),
                    command(process),
                ]);
            }
        }
        table.print(failures)
    })
}

/// The command line, or the best name there is (a kernel thread has no arguments).
pub(crate) fn command(process: ProcessInfo) -> String {
    if !process.args.is_empty() {
        process.args
    } else if !process.executable.is_empty() {
        process.executable
    } else {
        process.command
    }
}

/// Shows the use of memory.
pub(crate) fn memory(arguments: MemoryArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| async move {
            node.machine().memory(()).await.named(node, "MachineService/Memory")
        })
        .await;
        let mut table = Table::new([
            "NODE",
            "TOTAL",
            "USED",
            "FREE",
            "SHARED",
            "BUFFERS",
            "CACHE",
            "AVAILABLE",
        ]);
        let mut text = String::new();
        for (node, answer) in answers {
            for info in answer.messages.into_iter().filter_map(|message| message.meminfo) {
                let mut row = vec![node.name().to_owned()];
                row.extend(summary(&info).iter().map(|kilobytes| (kilobytes / 1024).to_string()));
                table.row(row);
                if arguments.verbose {
                    text.push_str(&verbose(node.name(), &info));
                }
            }
        }
        files::print(&if arguments.verbose { text } else { table.to_string() })?;
        failures.into_result()
    })
}

/// Total, used, free, shared, buffers, cache, available.
fn summary(info: &MemInfo) -> [u64; 7] {
    let idle = info.memfree + info.cached + info.buffers;
    [
        info.memtotal,
        info.memtotal.saturating_sub(idle),
        info.memfree,
        info.shmem,
        info.buffers,
        info.cached,
        info.memavailable,
    ]
}

fn verbose(node: &str, info: &MemInfo) -> String {
    let figures = [
        ("MemTotal", info.memtotal),
        ("MemFree", info.memfree),
        ("MemAvailable", info.memavailable),
        ("Buffers", info.buffers),
        ("Cached", info.cached),
        ("SwapCached", info.swapcached),
        ("Active", info.active),
        ("Inactive", info.inactive),
        ("ActiveAnon", info.activeanon),
        ("InactiveAnon", info.inactiveanon),
        ("ActiveFile", info.activefile),
        ("InactiveFile", info.inactivefile),
        ("Unevictable", info.unevictable),
        ("Mlocked", info.mlocked),
        ("SwapTotal", info.swaptotal),
        ("SwapFree", info.swapfree),
        ("Dirty", info.dirty),
        ("Writeback", info.writeback),
        ("AnonPages", info.anonpages),
        ("Mapped", info.mapped),
        ("Shmem", info.shmem),
        ("Slab", info.slab),
        ("SReclaimable", info.sreclaimable),
        ("SUnreclaim", info.sunreclaim),
        ("KernelStack", info.kernelstack),
        ("PageTables", info.pagetables),
        ("NFSUnstable", info.nfsunstable),
        ("Bounce", info.bounce),
        ("WritebackTmp", info.writebacktmp),
        ("CommitLimit", info.commitlimit),
        ("CommittedAS", info.committedas),
        ("VmallocTotal", info.vmalloctotal),
        ("VmallocUsed", info.vmallocused),
        ("VmallocChunk", info.vmallocchunk),
        ("HardwareCorrupted", info.hardwarecorrupted),
        ("AnonHugePages", info.anonhugepages),
        ("ShmemHugePages", info.shmemhugepages),
        ("ShmemPmdMapped", info.shmempmdmapped),
        ("CmaTotal", info.cmatotal),
        ("CmaFree", info.cmafree),
        ("HugePagesTotal", info.hugepagestotal),
        ("HugePagesFree", info.hugepagesfree),
        ("HugePagesRsvd", info.hugepagesrsvd),
        ("HugePagesSurp", info.hugepagessurp),
        ("Hugepagesize", info.hugepagesize),
        ("DirectMap4k", info.directmap4k),
        ("DirectMap2m", info.directmap2m),
        ("DirectMap1g", info.directmap1g),
    ];
    let mut text = format!("{:<20}{node}\n", "NODE:");
    for (name, value) in figures {
        // The kernel counts huge pages, and everything else in kilobytes.
        let unit = if name.starts_with("HugePages") { "" } else { " kB" };
        text.push_str(&format!("{:<20}{value}{unit}\n", format!("{name}:")));
    }
    text
}

/// Lists mounts.
pub(crate) fn mounts(arguments: MountsArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| async move {
            node.machine().mounts(()).await.named(node, "MachineService/Mounts")
        })
        .await;
        let mut table = Table::new([
            "NODE",
            "FILESYSTEM",
            "SIZE(GB)",
            "USED(GB)",
            "AVAILABLE(GB)",
            "PERCENT USED",
            "MOUNTED ON",
        ]);
        for (node, answer) in answers {
            for mount in answer.messages.into_iter().flat_map(|message| message.stats) {
                let mut row = vec![node.name().to_owned()];
                row.extend(mounted(&mount));
                table.row(row);
            }
        }
        table.print(failures)
    })
}

fn mounted(mount: &MountStat) -> [String; 6] {
    // Two digits of gigabytes are far inside what an f64 holds.
    #[allow(clippy::cast_precision_loss)]
    let gigabytes = |bytes: u64| bytes as f64 * 1e-9;
    let used = mount.size.saturating_sub(mount.available);
    let percent =
        if mount.size == 0 { 0.0 } else { gigabytes(used) / gigabytes(mount.size) * 100.0 };
    [
        mount.filesystem.clone(),
        format!("{:.2}", gigabytes(mount.size)),
        format!("{:.2}", gigabytes(used)),
        format!("{:.2}", gigabytes(mount.available)),
        format!("{percent:.2}%"),
        mount.mounted_on.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_memory_leaves_out_caches() {
        let info =
            MemInfo { memtotal: 100, memfree: 20, cached: 30, buffers: 10, ..MemInfo::default() };
        assert_eq!(summary(&info), [100, 40, 20, 0, 10, 30, 0]);
        assert_eq!(verbose("n", &info).lines().count(), 49);
    }

    #[test]
    fn an_empty_file_system_is_not_a_division_by_zero() {
        let mount = MountStat { filesystem: "proc".into(), ..MountStat::default() };
        assert_eq!(mounted(&mount)[4], "0.00%");
        let mount = MountStat { size: 4_000_000_000, available: 1_000_000_000, ..mount };
        assert_eq!(mounted(&mount)[1..5], ["4.00", "3.00", "1.00", "75.00%"]);
    }
}
