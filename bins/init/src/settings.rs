//! Writing the kernel settings of a machine.

use std::io;
use std::path::{Path, PathBuf};

use boot::settings::SETTINGS;

use crate::console::Console;

const ROOT: &str = "/proc/sys";

pub(crate) fn apply(console: &mut Console) {
    for (path, error) in write(Path::new(ROOT)) {
        console.error(&format!("cannot change the setting {}", path.display()), &error);
    }
}

/// Writes every setting below `root`; those that exist and refuse are returned.
fn write(root: &Path) -> Vec<(PathBuf, io::Error)> {
    SETTINGS
        .into_iter()
        .filter_map(|(name, value)| {
            let path = root.join(name);
            if !path.exists() {
                return None;
            }
            let written = std::fs::write(&path, format!("{value}\n"));
            written.err().map(|error| (path, error))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_written_and_what_refuses_is_returned() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str| root.path().join(name);
        std::fs::create_dir_all(file("vm/panic_on_oom")).unwrap();
        std::fs::write(file("vm/overcommit_memory"), "0\n").unwrap();
        let refused = write(root.path());
        assert_eq!(std::fs::read_to_string(file("vm/overcommit_memory")).unwrap(), "1\n");
        let refused: Vec<_> = refused.into_iter().map(|(path, _)| path).collect();
        assert_eq!(refused, [file("vm/panic_on_oom")], "a directory takes no value");
        assert!(!file("kernel").exists(), "nothing is made");
    }
}
