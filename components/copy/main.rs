//! Puts the CNI plugin of the flannel image onto the node, in place of the image's shell script.
//!
//! Called without arguments it copies every plugin of the image to the host's directory of plugins;
//! called with `[-f] SOURCE TARGET` it copies one file. A file appears under its name only when it
//! is whole, so that a plugin in use is never half of one.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const PLUGINS: &str = "/opt/cni/bin";
const HOST: &str = "/host/opt/cni/bin";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "-f").collect();
    let outcome = match arguments.as_slice() {
        [] => copy_plugins(),
        [source, target] => copy(Path::new(source), Path::new(target)),
        _ => Err("give a source and a target".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("copy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn copy_plugins() -> Result<(), String> {
    let failed = |error: io::Error| format!("listing {PLUGINS}: {error}");
    for entry in fs::read_dir(PLUGINS).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        copy(&entry.path(), &Path::new(HOST).join(entry.file_name()))?;
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("copying {} to {}: {error}", source.display(), target.display());
    let target = if target.is_dir() {
        target.join(source.file_name().unwrap_or_default())
    } else {
        target.to_owned()
    };
    let mut name = target.clone().into_os_string();
    name.push(".new");
    let beside = PathBuf::from(name);
    fs::copy(source, &beside).map_err(failed)?;
    fs::rename(&beside, &target).map_err(failed)
}
