//! What is known about a machine. Updates go in, screens read.

use std::collections::{BTreeMap, VecDeque};

use api::machine::{
    CpUsFreqStats, CpuInfo, CpuStat, DiskStat, LoadAvg, MemInfo, NetDev, ProcessInfo, ServiceInfo,
    SystemStat,
};
use yaml::Value;

/// Samples kept for graphs.
const HISTORY: usize = 1000;
/// Lines kept of a log.
const LOG_LINES: usize = 2000;

/// One round of what is asked from time to time. What a machine does not answer is absent.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// When, in milliseconds of a clock that never goes back.
    pub at: u64,
    /// Seconds since the Unix epoch.
    pub now: u64,
    /// Load averages.
    pub load: Option<LoadAvg>,
    /// Memory.
    pub memory: Option<MemInfo>,
    /// Processor counters since boot.
    pub system: Option<SystemStat>,
    /// Processor frequencies.
    pub frequencies: Option<CpUsFreqStats>,
    /// Processors.
    pub processors: Option<Vec<CpuInfo>>,
    /// Network counters since boot.
    pub network: Option<NetDev>,
    /// Disk counters since boot.
    pub disks: Option<DiskStat>,
    /// Processes.
    pub processes: Option<Vec<ProcessInfo>>,
    /// Services.
    pub services: Option<Vec<ServiceInfo>>,
}

/// Something new about a machine.
#[derive(Clone, Debug)]
pub enum Update {
    /// A round of answers.
    Sample(Box<Sample>),
    /// A resource as it is now, or `None` when it is gone.
    Resource {
        /// Its type.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Its spec.
        spec: Option<Value>,
    },
    /// A watch begins anew: what was known of the type is void.
    Reset(&'static str),
    /// A line of the kernel's log.
    LogLine(String),
    /// Version of the system.
    Version(String),
    /// The machine does not answer, and why.
    Unreachable(String),
}

/// A process with its share of the processors.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Process {
    pub(crate) info: ProcessInfo,
    /// Share of one processor, in percent.
    pub(crate) cpu: f64,
}

/// Values of one measure over time, newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(VecDeque<f64>);

impl History {
    fn push(&mut self, value: f64) {
        if self.0.len() == HISTORY {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    pub(crate) fn last(&self) -> f64 {
        self.0.back().copied().unwrap_or(0.0)
    }

    /// The newest values, at most so many, oldest first.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().skip(self.0.len().saturating_sub(count)).copied()
    }
}

/// What is known about one machine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The name it is called by.
    pub name: String,
    pub(crate) version: String,
    pub(crate) unreachable: Option<String>,
    pub(crate) sample: Sample,
    pub(crate) resources: BTreeMap<(&'static str, String), Value>,
    pub(crate) log: VecDeque<String>,
    pub(crate) user: History,
    pub(crate) kernel: History,
    pub(crate) memory: History,
    pub(crate) load: History,
    pub(crate) received: History,
    pub(crate) sent: History,
    pub(crate) read: History,
    pub(crate) written: History,
    pub(crate) processes: Vec<Process>,
}

impl Machine {
    /// A machine of which nothing is known yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Takes in something new.
    pub fn apply(&mut self, update: Update) {
        match update {
            Update::Sample(sample) => self.sample(*sample),
            Update::Resource { kind, id, spec } => {
                match spec {
                    Some(spec) => self.resources.insert((kind, id), spec),
                    None => self.resources.remove(&(kind, id)),
                };
            }
            Update::Reset(kind) => self.resources.retain(|(known, _), _| *known != kind),
            Update::LogLine(line) => {
                if self.log.len() == LOG_LINES {
                    self.log.pop_front();
                }
                self.log.push_back(line);
            }
            Update::Version(version) => {
                self.unreachable = None;
                self.version = version;
            }
            Update::Unreachable(why) => self.unreachable = Some(why),
        }
    }

    fn sample(&mut self, sample: Sample) {
        let old = std::mem::replace(&mut self.sample, sample);
        let new = &self.sample;
        self.unreachable = None;
        let seconds = seconds(new.at.saturating_sub(old.at));
        if let (Some(before), Some(now)) = (total(&old), total(new)) {
            let (user, kernel) = shares(before, now);
            self.user.push(user);
            self.kernel.push(kernel);
        }
        if let Some(memory) = &new.memory {
            self.memory.push(used_memory(memory));
        }
        if let Some(load) = &new.load {
            self.load.push(load.load1);
        }
        if let (Some(before), Some(now)) = (&old.network, &new.network) {
            self.received.push(rate(before.rx_bytes, now.rx_bytes, seconds));
            self.sent.push(rate(before.tx_bytes, now.tx_bytes, seconds));
        }
        if let (Some(before), Some(now)) = (&old.disks, &new.disks) {
            // A sector of the kernel's counters is always 512 bytes.
            self.read.push(512.0 * rate(before.read_sectors, now.read_sectors, seconds));
            self.written.push(512.0 * rate(before.write_sectors, now.write_sectors, seconds));
        }
        if let Some(processes) = &new.processes {
            let before: BTreeMap<i32, f64> = old
                .processes
                .iter()
                .flatten()
                .map(|process| (process.pid, process.cpu_time))
                .collect();
            self.processes = processes
                .iter()
                .map(|info| {
                    let spent = before.get(&info.pid).map_or(0.0, |before| info.cpu_time - before);
                    Process { info: info.clone(), cpu: (100.0 * spent / seconds).max(0.0) }
                })
                .collect();
            self.processes.sort_by(|left, right| {
                right
                    .cpu
                    .total_cmp(&left.cpu)
                    .then(right.info.resident_memory.cmp(&left.info.resident_memory))
            });
        }
    }

    /// The spec of a resource.
    pub(crate) fn spec(&self, kind: &'static str, id: &str) -> Option<&Value> {
        self.resources.get(&(kind, id.to_owned()))
    }

    /// All resources of a type.
    pub(crate) fn specs(&self, kind: &'static str) -> impl Iterator<Item = (&str, &Value)> {
        self.resources
            .range((kind, String::new())..)
            .take_while(move |((known, _), _)| *known == kind)
            .map(|((_, id), spec)| (id.as_str(), spec))
    }

    pub(crate) fn service(&self, id: &str) -> Option<&ServiceInfo> {
        self.sample.services.iter().flatten().find(|service| service.id == id)
    }

    /// Use of all processors, in percent.
    pub(crate) fn cpu(&self) -> f64 {
        self.user.last() + self.kernel.last()
    }
}

fn seconds(milliseconds: u64) -> f64 {
    u32::try_from(milliseconds.max(1)).map_or(f64::MAX, f64::from) / 1000.0
}

fn rate(before: u64, now: u64, seconds: f64) -> f64 {
    // A rate for the eye; beyond 2^53 bytes in one interval nobody counts.
    #[allow(clippy::cast_precision_loss)]
    let difference = now.saturating_sub(before) as f64;
    difference / seconds
}

fn total(sample: &Sample) -> Option<&CpuStat> {
    sample.system.as_ref().and_then(|system| system.cpu_total.as_ref())
}

/// Shares of user and kernel between two moments, in percent of all processors.
fn shares(before: &CpuStat, now: &CpuStat) -> (f64, f64) {
    let user = |cpu: &CpuStat| cpu.user + cpu.nice;
    let kernel = |cpu: &CpuStat| cpu.system + cpu.irq + cpu.soft_irq;
    let all = |cpu: &CpuStat| user(cpu) + kernel(cpu) + cpu.idle + cpu.iowait + cpu.steal;
    let passed = all(now) - all(before);
    if passed <= 0.0 {
        return (0.0, 0.0);
    }
    let share =
        |of: fn(&CpuStat) -> f64| (100.0 * (of(now) - of(before)) / passed).clamp(0.0, 100.0);
    (share(user), share(kernel))
}

/// Memory that is not free and not a cache, in percent.
pub(crate) fn used_memory(memory: &MemInfo) -> f64 {
    if memory.memtotal == 0 {
        return 0.0;
    }
    // A percentage does not need every bit of a memory size.
    #[allow(clippy::cast_precision_loss)]
    let available = memory.memavailable as f64 / memory.memtotal as f64;
    100.0 * (1.0 - available)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(user: f64, system: f64, idle: f64) -> Option<SystemStat> {
        let cpu_total = Some(CpuStat { user, system, idle, ..CpuStat::default() });
        Some(SystemStat { cpu_total, ..SystemStat::default() })
    }

    #[test]
    fn rates_come_from_two_samples() {
        let mut machine = Machine::new("n");
        let network = |bytes| Some(NetDev { rx_bytes: bytes, ..NetDev::default() });
        let process =
            |time| Some(vec![ProcessInfo { pid: 7, cpu_time: time, ..ProcessInfo::default() }]);
        let first = Sample {
            at: 1000,
            system: stat(10.0, 10.0, 80.0),
            network: network(1000),
            processes: process(1.0),
            ..Sample::default()
        };
        machine.apply(Update::Sample(Box::new(first)));
        assert_eq!(machine.received.newest(9).count(), 0);
        let second = Sample {
            at: 3000,
            system: stat(11.0, 10.5, 80.5),
            network: network(5000),
            processes: process(1.5),
            ..Sample::default()
        };
        machine.apply(Update::Sample(Box::new(second)));
        assert_eq!((machine.user.last(), machine.kernel.last()), (50.0, 25.0));
        assert_eq!(machine.received.last(), 2000.0);
        assert_eq!(machine.processes[0].cpu, 25.0);
    }

    #[test]
    fn resources_come_and_go() {
        let mut machine = Machine::new("n");
        let put = |id: &str, spec| Update::Resource { kind: "A", id: id.into(), spec };
        machine.apply(put("x", Some(Value::Int(1))));
        machine.apply(put("y", Some(Value::Int(2))));
        machine.apply(Update::Resource { kind: "B", id: "x".into(), spec: Some(Value::Int(3)) });
        machine.apply(put("x", None));
        assert_eq!(machine.specs("A").collect::<Vec<_>>(), [("y", &Value::Int(2))]);
        machine.apply(Update::Reset("A"));
        assert_eq!(machine.specs("A").count(), 0);
        assert_eq!(machine.spec("B", "x"), Some(&Value::Int(3)));
    }

    #[test]
    fn logs_are_bounded() {
        let mut machine = Machine::new("n");
        for number in 0..LOG_LINES + 5 {
            machine.apply(Update::LogLine(number.to_string()));
        }
        assert_eq!((machine.log.len(), machine.log[0].as_str()), (LOG_LINES, "5"));
    }
}
