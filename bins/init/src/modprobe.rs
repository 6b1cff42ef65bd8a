//! What the kernel calls when it needs a module: `modprobe -q -- NAME`, where the name is a module's
//! or one that modules go by (`fs-ext4`, `net-pf-10`, `nft-chain-1-nat`).
//!
//! The program is this one, because it is small and there; the device manager in machined loads what
//! devices need without it.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use boot::module::Name;
use boot::module::catalogue::{Catalogue, CatalogueError, Lists};
use sys::module::ModuleError;
use thiserror::Error;

/// The name of the program.
const MODPROBE: &str = "modprobe";
/// Where modules are, by the kernel's release.
const MODULES: &str = "/usr/lib/modules";

/// Why nothing was loaded.
#[derive(Debug, Error)]
enum ModprobeError {
    #[error("name one module")]
    Usage,
    #[error("cannot understand the lists in {directory}")]
    Lists {
        directory: PathBuf,
        #[source]
        source: CatalogueError,
    },
    #[error("no module goes by the name {name}")]
    Unknown { name: String },
    #[error(transparent)]
    Module(#[from] ModuleError),
}

/// Whether this process is such a call.
pub(crate) fn is_called() -> bool {
    let own = std::env::args_os().next().unwrap_or_default();
    Path::new(&own).file_name().is_some_and(|name| name == MODPROBE)
}

/// Loads what the arguments name.
pub(crate) fn run() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quiet = arguments.iter().any(|argument| argument == "-q");
    match load(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // The kernel asks for much that nobody has.
        Err(ModprobeError::Unknown { .. }) if quiet => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}", crate::fatal::chain(MODPROBE, &error));
            ExitCode::FAILURE
        }
    }
}

/// The one name among the arguments; what begins with a dash before `--` is an option.
fn name(arguments: &[String]) -> Option<&str> {
    let mut rest = arguments.iter().map(String::as_str);
    let name = match rest.find(|argument| !argument.starts_with('-') || *argument == "--")? {
        "--" => rest.next()?,
        name => name,
    };
    rest.next().is_none().then_some(name)
}

fn load(arguments: &[String]) -> Result<(), ModprobeError> {
    let name = name(arguments).ok_or(ModprobeError::Usage)?;
    let directory = Path::new(MODULES).join(sys::system::kernel().release);
    let lists = Lists::of(|list| {
        // A list that cannot be read has nothing in it.
        Ok::<_, Infallible>(fs::read_to_string(directory.join(list)).unwrap_or_default())
    });
    let Ok(lists) = lists;
    if !lists.mention(name) {
        return Err(ModprobeError::Unknown { name: name.to_owned() });
    }
    let catalogue = Catalogue::read(&lists)
        .map_err(|source| ModprobeError::Lists { directory: directory.clone(), source })?;
    for module in wanted(&catalogue, name)? {
        // Names come from the catalogue itself.
        for step in catalogue.steps(&module).unwrap_or_default() {
            let loaded = sys::module::load(&directory.join(step.path), "");
            if step.required {
                loaded?;
            }
        }
    }
    Ok(())
}

/// The modules for a name: the one that it is, or those that go by it.
fn wanted(catalogue: &Catalogue, name: &str) -> Result<Vec<Name>, ModprobeError> {
    let module = Name::new(name);
    if catalogue.steps(&module).is_ok() {
        return Ok(vec![module]);
    }
    let found: Vec<Name> = catalogue.matching(name).into_iter().cloned().collect();
    if found.is_empty() {
        return Err(ModprobeError::Unknown { name: name.to_owned() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_way_of_calling_is_understood() {
        let of = |text: &str| {
            let arguments: Vec<String> = text.split(' ').map(str::to_owned).collect();
            name(&arguments).map(str::to_owned)
        };
        assert_eq!(of("-q -- fs-ext4"), Some("fs-ext4".into()));
        assert_eq!(of("-q -- -odd"), Some("-odd".into()));
        assert_eq!(of("overlay"), Some("overlay".into()));
        assert_eq!(of("-q"), None);
        assert_eq!(of("a b"), None);
        assert_eq!(of("-q --"), None);
    }

    #[test]
    fn a_name_is_a_module_or_an_alias() {
        let lists = Lists {
            dependencies: "kernel/overlay.ko:\nkernel/a.ko:\nkernel/b.ko:\n".into(),
            aliases: "alias fs-overlay overlay\nalias net-pf-9* a\nalias net-pf-9* b\n".into(),
            builtin: "kernel/fs/ext4/ext4.ko\n".into(),
            ..Lists::default()
        };
        let catalogue = Catalogue::read(&lists).unwrap();
        let names = |name| {
            let found = wanted(&catalogue, name).unwrap_or_default();
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names("overlay"), ["overlay"]);
        assert_eq!(names("fs-overlay"), ["overlay"]);
        assert_eq!(names("net-pf-9-proto-0"), ["a", "b"]);
        assert_eq!(names("ext4"), ["ext4"], "built in: nothing to do, and no failure");
        assert!(matches!(wanted(&catalogue, "zfs"), Err(ModprobeError::Unknown { .. })));
    }
}
