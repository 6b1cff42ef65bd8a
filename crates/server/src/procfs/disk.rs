//! `/proc/diskstats` (kernel: Documentation/admin-guide/iostats.rst).

use api::machine::DiskStat;

use super::{Kernel, ProcError, at, numbers};

impl Kernel {
    /// Counters of all block devices together, and of each.
    ///
    /// # Errors
    /// [`ProcError`] when the file cannot be read.
    pub fn disk_stats(&self) -> Result<(DiskStat, Vec<DiskStat>), ProcError> {
        let devices = parse(&self.read("proc/diskstats")?);
        let mut total = DiskStat { name: "total".to_owned(), ..Default::default() };
        for device in &devices {
            total.read_completed += device.read_completed;
            total.read_merged += device.read_merged;
            total.read_sectors += device.read_sectors;
            total.read_time_ms += device.read_time_ms;
            total.write_completed += device.write_completed;
            total.write_merged += device.write_merged;
            total.write_sectors += device.write_sectors;
            total.write_time_ms += device.write_time_ms;
            total.io_in_progress += device.io_in_progress;
            total.io_time_ms += device.io_time_ms;
            total.io_time_weighted_ms += device.io_time_weighted_ms;
            total.discard_completed += device.discard_completed;
            total.discard_merged += device.discard_merged;
            total.discard_sectors += device.discard_sectors;
            total.discard_time_ms += device.discard_time_ms;
        }
        Ok((total, devices))
    }
}

fn parse(text: &str) -> Vec<DiskStat> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<DiskStat> {
    let mut words = line.split_whitespace();
    let name = words.by_ref().nth(2)?.to_owned();
    let counts = numbers(&words.collect::<Vec<_>>().join(" "));
    Some(DiskStat {
        name,
        read_completed: at(&counts, 0),
        read_merged: at(&counts, 1),
        read_sectors: at(&counts, 2),
        read_time_ms: at(&counts, 3),
        write_completed: at(&counts, 4),
        write_merged: at(&counts, 5),
        write_sectors: at(&counts, 6),
        write_time_ms: at(&counts, 7),
        io_in_progress: at(&counts, 8),
        io_time_ms: at(&counts, 9),
        io_time_weighted_ms: at(&counts, 10),
        discard_completed: at(&counts, 11),
        discard_merged: at(&counts, 12),
        discard_sectors: at(&counts, 13),
        discard_time_ms: at(&counts, 14),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_kernels_write_lines_of_different_length() {
        let all = parse(
            "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n   7       0 loop0 9 0 0 0 0 0 0 0 0 0 0\nshort\n",
        );
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name.as_str(), all[0].read_completed), ("sda", 1));
        assert_eq!((all[0].io_time_weighted_ms, all[0].discard_time_ms), (11, 15));
        assert_eq!((all[1].read_completed, all[1].discard_completed), (9, 0));
    }
}
