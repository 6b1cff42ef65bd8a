//! `/proc/stat` and `/proc/loadavg` (proc_stat(5), proc_loadavg(5)).

use api::machine::{CpuStat, LoadAvg, SoftIrqStat, SystemStat};

use super::{Kernel, ProcError, at, numbers};

/// The unit of times in `/proc`: USER_HZ, which is 100 on every architecture served here.
pub const TICKS_PER_SECOND: f64 = 100.0;

impl Kernel {
    /// Counters of processors, interrupts and processes since boot.
    ///
    /// # Errors
    /// [`ProcError`] when the file cannot be read.
    pub fn system_stat(&self) -> Result<SystemStat, ProcError> {
        Ok(parse(&self.read("proc/stat")?))
    }

    /// The load averages.
    ///
    /// # Errors
    /// [`ProcError`] when the file cannot be read or has another form.
    pub fn load_average(&self) -> Result<LoadAvg, ProcError> {
        let text = self.read("proc/loadavg")?;
        load_average(&text).ok_or_else(|| ProcError::Content {
            path: self.path("proc/loadavg"),
            line: text,
            expected: "three averages",
        })
    }
}

/// Reads the three averages.
#[must_use]
pub fn load_average(text: &str) -> Option<LoadAvg> {
    let mut words = text.split_whitespace().map(str::parse);
    let mut next = || words.next()?.ok();
    Some(LoadAvg { metadata: None, load1: next()?, load5: next()?, load15: next()? })
}

fn parse(text: &str) -> SystemStat {
    let mut stat = SystemStat::default();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(' ') else { continue };
        match name {
            "cpu" => stat.cpu_total = Some(cpu(rest)),
            "btime" => stat.boot_time = at(&numbers(rest), 0),
            "intr" => {
                let counts = numbers(rest);
                stat.irq_total = at(&counts, 0);
                stat.irq = counts.into_iter().skip(1).collect();
            }
            "ctxt" => stat.context_switches = at(&numbers(rest), 0),
            "processes" => stat.process_created = at(&numbers(rest), 0),
            "procs_running" => stat.process_running = at(&numbers(rest), 0),
            "procs_blocked" => stat.process_blocked = at(&numbers(rest), 0),
            "softirq" => {
                let counts = numbers(rest);
                stat.soft_irq_total = at(&counts, 0);
                stat.soft_irq = Some(SoftIrqStat {
                    hi: at(&counts, 1),
                    timer: at(&counts, 2),
                    net_tx: at(&counts, 3),
                    net_rx: at(&counts, 4),
                    block: at(&counts, 5),
                    block_io_poll: at(&counts, 6),
                    tasklet: at(&counts, 7),
                    sched: at(&counts, 8),
                    hrtimer: at(&counts, 9),
                    rcu: at(&counts, 10),
                });
            }
            _ if name.starts_with("cpu") => stat.cpu.push(cpu(rest)),
            _ => {}
        }
    }
    stat
}

/// Seconds in each state.
fn cpu(text: &str) -> CpuStat {
    let ticks = numbers(text);
    // Ticks stay far below 2^53 for any uptime.
    #[allow(clippy::cast_precision_loss)]
    let seconds = |index| at(&ticks, index) as f64 / TICKS_PER_SECOND;
    CpuStat {
        user: seconds(0),
        nice: seconds(1),
        system: seconds(2),
        idle: seconds(3),
        iowait: seconds(4),
        irq: seconds(5),
        soft_irq: seconds(6),
        steal: seconds(7),
        guest: seconds(8),
        guest_nice: seconds(9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  250 0 100 9000 5 0 1 0 0 0\ncpu0 150 0 50 4500 5 0 1 0 0 0\n\
        cpu1 100 0 50 4500 0 0 0 0 0 0\nintr 30 10 0 20\nctxt 77\nbtime 1700000000\nprocesses 12\n\
        procs_running 2\nprocs_blocked 1\nsoftirq 55 1 2 3 4 5 6 7 8 9 10\n";

    #[test]
    fn counters_are_where_they_belong() {
        let stat = parse(STAT);
        let total = stat.cpu_total.unwrap();
        assert_eq!((total.user, total.system, total.idle, total.iowait), (2.5, 1.0, 90.0, 0.05));
        assert_eq!(stat.cpu.len(), 2);
        assert_eq!((stat.irq_total, stat.irq), (30, vec![10, 0, 20]));
        assert_eq!((stat.context_switches, stat.boot_time), (77, 1_700_000_000));
        assert_eq!((stat.process_created, stat.process_running, stat.process_blocked), (12, 2, 1));
        let soft = stat.soft_irq.unwrap();
        assert_eq!((stat.soft_irq_total, soft.hi, soft.rcu), (55, 1, 10));
    }

    #[test]
    fn averages_need_three_numbers() {
        let load = load_average("0.50 1.25 2.00 3/400 12345\n").unwrap();
        assert_eq!((load.load1, load.load5, load.load15), (0.5, 1.25, 2.0));
        assert_eq!(load_average("0.50 1.25"), None);
        assert_eq!(load_average("a b c"), None);
    }
}
