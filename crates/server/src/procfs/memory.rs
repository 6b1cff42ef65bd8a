//! `/proc/meminfo` (proc_meminfo(5)).

use api::machine::MemInfo;

use super::{Kernel, ProcError};

impl Kernel {
    /// The machine's memory, in the kernel's unit (KiB, except for counts of huge pages).
    ///
    /// # Errors
    /// [`ProcError`] when the file cannot be read.
    pub fn memory(&self) -> Result<MemInfo, ProcError> {
        Ok(parse(&self.read("proc/meminfo")?))
    }
}

fn parse(text: &str) -> MemInfo {
    let mut info = MemInfo::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let Some(value) = value.split_whitespace().next().and_then(|word| word.parse().ok()) else {
            continue;
        };
        if let Some(field) = field(&mut info, name) {
            *field = value;
        }
    }
    info
}

fn field<'a>(info: &'a mut MemInfo, name: &str) -> Option<&'a mut u64> {
    Some(match name {
        "MemTotal" => &mut info.memtotal,
        "MemFree" => &mut info.memfree,
        "MemAvailable" => &mut info.memavailable,
        "Buffers" => &mut info.buffers,
        "Cached" => &mut info.cached,
        "SwapCached" => &mut info.swapcached,
        "Active" => &mut info.active,
        "Inactive" => &mut info.inactive,
        "Active(anon)" => &mut info.activeanon,
        "Inactive(anon)" => &mut info.inactiveanon,
        "Active(file)" => &mut info.activefile,
        "Inactive(file)" => &mut info.inactivefile,
        "Unevictable" => &mut info.unevictable,
        "Mlocked" => &mut info.mlocked,
        "SwapTotal" => &mut info.swaptotal,
        "SwapFree" => &mut info.swapfree,
        "Dirty" => &mut info.dirty,
        "Writeback" => &mut info.writeback,
        "AnonPages" => &mut info.anonpages,
        "Mapped" => &mut info.mapped,
        "Shmem" => &mut info.shmem,
        "Slab" => &mut info.slab,
        "SReclaimable" => &mut info.sreclaimable,
        "SUnreclaim" => &mut info.sunreclaim,
        "KernelStack" => &mut info.kernelstack,
        "PageTables" => &mut info.pagetables,
        "NFS_Unstable" => &mut info.nfsunstable,
        "Bounce" => &mut info.bounce,
        "WritebackTmp" => &mut info.writebacktmp,
        "CommitLimit" => &mut info.commitlimit,
        "Committed_AS" => &mut info.committedas,
        "VmallocTotal" => &mut info.vmalloctotal,
        "VmallocUsed" => &mut info.vmallocused,
        "VmallocChunk" => &mut info.vmallocchunk,
        "HardwareCorrupted" => &mut info.hardwarecorrupted,
        "AnonHugePages" => &mut info.anonhugepages,
        "ShmemHugePages" => &mut info.shmemhugepages,
        "ShmemPmdMapped" => &mut info.shmempmdmapped,
        "CmaTotal" => &mut info.cmatotal,
        "CmaFree" => &mut info.cmafree,
        "HugePages_Total" => &mut info.hugepagestotal,
        "HugePages_Free" => &mut info.hugepagesfree,
        "HugePages_Rsvd" => &mut info.hugepagesrsvd,
        "HugePages_Surp" => &mut info.hugepagessurp,
        "Hugepagesize" => &mut info.hugepagesize,
        "DirectMap4k" => &mut info.directmap4k,
        "DirectMap2M" => &mut info.directmap2m,
        "DirectMap1G" => &mut info.directmap1g,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_a_unit_are_read() {
        let info = parse(
            "MemTotal:       16384 kB\nActive(anon):     12 kB\nHugePages_Total:       3\nNew: 1 kB\nbad\n",
        );
        let expected =
            MemInfo { memtotal: 16384, activeanon: 12, hugepagestotal: 3, ..Default::default() };
        assert_eq!(info, expected);
    }

    #[test]
    fn this_machine_has_memory() {
        let info = Kernel::new("/").memory().unwrap();
        assert!(info.memtotal > 0 && info.memavailable > 0 && info.memavailable <= info.memtotal);
    }
}
