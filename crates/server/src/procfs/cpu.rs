//! `/proc/cpuinfo` and the frequency scaling below `/sys/devices/system/cpu` (proc_cpuinfo(5)).

use std::path::Path;

use api::machine::{CpuFreqStats, CpuInfo};

use super::{Kernel, ProcError};

impl Kernel {
    /// Every processor as the kernel describes it.
    ///
    /// # Errors
    /// [`ProcError`] when the file cannot be read.
    pub fn cpu_info(&self) -> Result<Vec<CpuInfo>, ProcError> {
        Ok(parse(&self.read("proc/cpuinfo")?))
    }

    /// Frequencies of the processors whose frequency the kernel sets.
    ///
    /// # Errors
    /// [`ProcError`] when the list of processors cannot be read.
    pub fn cpu_frequencies(&self) -> Result<Vec<CpuFreqStats>, ProcError> {
        let path = self.path("sys/devices/system/cpu");
        let entries =
            std::fs::read_dir(&path).map_err(|source| ProcError::Read { path, source })?;
        let mut numbered: Vec<_> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let number: u32 = name.to_str()?.strip_prefix("cpu")?.parse().ok()?;
                let scaling = entry.path().join("cpufreq");
                scaling.is_dir().then_some((number, scaling))
            })
            .collect();
        numbered.sort_unstable();
        Ok(numbered.iter().map(|(_, scaling)| frequencies(scaling)).collect())
    }
}

fn frequencies(scaling: &Path) -> CpuFreqStats {
    // A processor may lack single files, and they vanish when it is unplugged.
    let text = |file: &str| {
        std::fs::read_to_string(scaling.join(file)).map(|t| t.trim().to_owned()).unwrap_or_default()
    };
    let frequency = |file: &str| text(file).parse().unwrap_or_default();
    CpuFreqStats {
        current_frequency: frequency("scaling_cur_freq"),
        minimum_frequency: frequency("scaling_min_freq"),
        maximum_frequency: frequency("scaling_max_freq"),
        governor: text("scaling_governor"),
    }
}

fn parse(text: &str) -> Vec<CpuInfo> {
    let mut all: Vec<CpuInfo> = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name == "processor" {
            all.push(CpuInfo {
                processor: value.parse().unwrap_or_default(),
                ..Default::default()
            });
            continue;
        }
        if let Some(info) = all.last_mut() {
            describe(info, name, value);
        }
    }
    all
}

fn describe(info: &mut CpuInfo, name: &str, value: &str) {
    let text = || value.to_owned();
    let words = || value.split_whitespace().map(str::to_owned).collect();
    match name {
        "vendor_id" | "CPU implementer" => info.vendor_id = text(),
        "cpu family" | "CPU architecture" => info.cpu_family = text(),
        "model" | "CPU part" => info.model = text(),
        "model name" => info.model_name = text(),
        "stepping" | "CPU revision" => info.stepping = text(),
        "microcode" => info.microcode = text(),
        "cpu MHz" => info.cpu_mhz = value.parse().unwrap_or_default(),
        "cache size" => info.cache_size = text(),
        "physical id" => info.physical_id = text(),
        "siblings" => info.siblings = value.parse().unwrap_or_default(),
        "core id" => info.core_id = text(),
        "cpu cores" => info.cpu_cores = value.parse().unwrap_or_default(),
        "apicid" => info.apic_id = text(),
        "initial apicid" => info.initial_apic_id = text(),
        "fpu" => info.fpu = text(),
        "fpu_exception" => info.fpu_exception = text(),
        "cpuid level" => info.cpu_id_level = value.parse().unwrap_or_default(),
        "wp" => info.wp = text(),
        "flags" | "Features" => info.flags = words(),
        "bugs" => info.bugs = words(),
        "bogomips" | "BogoMIPS" => info.bogo_mips = value.parse().unwrap_or_default(),
        "clflush size" => info.cl_flush_size = value.parse().unwrap_or_default(),
        "cache_alignment" => info.cache_alignment = value.parse().unwrap_or_default(),
        "address sizes" => info.address_sizes = text(),
        "power management" => info.power_management = text(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_processor_gets_its_own_lines() {
        let all = parse(
            "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu MHz\t\t: 2593.906\nflags\t\t: fpu vme\n\
             power management:\n\nprocessor\t: 1\nmodel name\t: A: B\nsiblings\t: 2\n",
        );
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].vendor_id.as_str(), all[0].cpu_mhz), ("GenuineIntel", 2593.906));
        assert_eq!(all[0].flags, ["fpu", "vme"]);
        assert_eq!((all[1].processor, all[1].model_name.as_str(), all[1].siblings), (1, "A: B", 2));
    }

    #[test]
    fn frequencies_come_in_the_order_of_processors() {
        let root = tempfile::tempdir().unwrap();
        for (cpu, frequency) in [("cpu10", "3000"), ("cpu2", "2000")] {
            let dir = root.path().join("sys/devices/system/cpu").join(cpu).join("cpufreq");
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("scaling_cur_freq"), format!("{frequency}\n")).unwrap();
            std::fs::write(dir.join("scaling_governor"), "performance\n").unwrap();
        }
        std::fs::create_dir_all(root.path().join("sys/devices/system/cpu/cpufreq")).unwrap();
        let all = Kernel::new(root.path()).cpu_frequencies().unwrap();
        let seen: Vec<_> = all.iter().map(|f| (f.current_frequency, f.governor.as_str())).collect();
        assert_eq!(seen, [(2000, "performance"), (3000, "performance")]);
    }
}
