//! Processes: `/proc/<pid>` (proc_pid_stat(5), proc_pid_cmdline(5)).

use std::path::Path;

use api::machine::ProcessInfo;

use super::{Kernel, ProcError, TICKS_PER_SECOND, read};

impl Kernel {
    /// Every process that lives while it is looked at, by pid.
    ///
    /// # Errors
    /// [`ProcError`] when the list cannot be read.
    pub fn processes(&self) -> Result<Vec<ProcessInfo>, ProcError> {
        let path = self.path("proc");
        let entries =
            std::fs::read_dir(&path).map_err(|source| ProcError::Read { path, source })?;
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let mut all: Vec<ProcessInfo> = entries
            .flatten()
            .filter(|entry| {
                entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok())
            })
            .filter_map(|entry| process(&entry.path(), page))
            .collect();
        all.sort_unstable_by_key(|process| process.pid);
        Ok(all)
    }
}

/// `None` when the process has gone meanwhile.
fn process(dir: &Path, page: u64) -> Option<ProcessInfo> {
    let mut info = parse(&read(&dir.join("stat")).ok()?, page)?;
    let arguments = read(&dir.join("cmdline")).unwrap_or_default();
    info.args = arguments.trim_end_matches('\0').replace('\0', " ");
    // Kernel threads have no executable.
    info.executable = std::fs::read_link(dir.join("exe"))
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
    info.label = read(&dir.join("attr/current"))
        .map(|label| label.trim_matches(['\0', '\n']).to_owned())
        .unwrap_or_default();
    Some(info)
}

/// The name stands in parentheses and may itself hold spaces and parentheses.
fn parse(stat: &str, page: u64) -> Option<ProcessInfo> {
    let (pid, rest) = stat.split_once(" (")?;
    let (command, rest) = rest.rsplit_once(") ")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let word = |index: usize| words.get(index).copied();
    let ticks: u64 = word(11)?.parse::<u64>().ok()?.checked_add(word(12)?.parse().ok()?)?;
    // Ticks stay far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let cpu_time = ticks as f64 / TICKS_PER_SECOND;
    Some(ProcessInfo {
        pid: pid.parse().ok()?,
        ppid: word(1)?.parse().ok()?,
        state: word(0)?.to_owned(),
        threads: word(17)?.parse().ok()?,
        cpu_time,
        virtual_memory: word(20)?.parse().ok()?,
        resident_memory: word(21)?.parse::<u64>().ok()?.saturating_mul(page),
        command: command.to_owned(),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let stat = "42 (a) R 1 (x)) S 7 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 3 0 99 8192 2 0";
        let info = parse(stat, 4096).unwrap();
        assert_eq!((info.pid, info.ppid, info.command.as_str()), (42, 7, "a) R 1 (x)"));
        assert_eq!((info.state.as_str(), info.threads, info.cpu_time), ("S", 3, 2.0));
        assert_eq!((info.virtual_memory, info.resident_memory), (8192, 8192));
        assert_eq!(parse("42 (a) R 1", 4096), None);
    }

    #[test]
    fn this_process_is_among_them() {
        let all = Kernel::new("/").processes().unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = all.iter().find(|process| process.pid == pid).unwrap();
        assert!(own.threads > 0 && own.resident_memory > 0);
        assert_eq!(Path::new(&own.executable), std::env::current_exe().unwrap());
    }
}
