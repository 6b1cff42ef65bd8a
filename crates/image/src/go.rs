//! Builds programs from a pinned Go module.
//!
//! The module's origin is proved by the go.sum beside the go.mod in `components/`: the Go tool
//! refuses a module whose hash is another one. Builds carry no paths, no build ids of a checkout and
//! no time, so the same inputs give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::component::{ComponentError, source_error};
use crate::pins::GoPin;
use crate::store::{Inputs, Part, Store};
use crate::tool::{self, ToolError};

/// Builds the pin's programs unless the store has them.
pub(crate) fn build(sources: &Path, store: &Store, pin: &GoPin) -> Result<Part, ComponentError> {
    let name = pin.name.as_str();
    let directory = sources.join(pin.directory());
    let failed = |source: ToolError| ComponentError::Tool { name: name.to_owned(), source };
    let what = format!("building {name} {}", pin.version);

    let mut inputs = Inputs::new();
    let version = tool::text(&what, Command::new("go").arg("version").current_dir(&directory))
        .map_err(failed)?;
    inputs.text("go", &version).text("recipe", &format!("{pin:?}"));
    for package in tool::installed(&what, &pin.cgo).map_err(failed)? {
        inputs.text("debian", &package);
    }
    let mut files: Vec<PathBuf> = fs::read_dir(&directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(source_error(name, "listing", &directory))?;
    files.sort();
    for file in &files {
        inputs.file(file)?;
    }

    store.part(name, &inputs, |output| {
        if pin.without.is_empty() {
            return compile(pin, &directory, output, &what);
        }
        let copy = tempfile::tempdir().map_err(source_error(
            name,
            "making a directory for a copy of",
            &directory,
        ))?;
        copy_module(pin, &directory, copy.path(), &what)?;
        compile(pin, copy.path(), output, &what)
    })
}

fn compile(pin: &GoPin, directory: &Path, output: &Path, what: &str) -> Result<(), ComponentError> {
    let substitute = |flag: &String| {
        let number = pin.version.trim_start_matches('v');
        flag.replace("{version}", &pin.version).replace("{number}", number)
    };
    let mut ldflags = vec!["-s".to_owned(), "-w".to_owned()];
    ldflags.extend(pin.ldflags.iter().map(substitute));
    for (package, file) in &pin.packages {
        let mut go = Command::new("go");
        go.current_dir(directory)
            .env("CGO_ENABLED", if pin.cgo.is_empty() { "0" } else { "1" })
            .env("GOFLAGS", "-buildvcs=false -mod=readonly -trimpath")
            .env("GOOS", "linux")
            .env("GOARCH", "amd64")
            .args(["build", "-ldflags", &ldflags.join(" ")]);
        if !pin.tags.is_empty() {
            go.args(["-tags", &pin.tags.join(",")]);
        }
        go.arg("-o").arg(output.join(file)).arg(package);
        tool::run(what, &mut go)
            .map_err(|source| ComponentError::Tool { name: pin.name.clone(), source })?;
    }
    Ok(())
}

/// Copies the module, checked against go.sum, without the packages that are left out.
fn copy_module(
    pin: &GoPin,
    directory: &Path,
    copy: &Path,
    what: &str,
) -> Result<(), ComponentError> {
    let name = pin.name.as_str();
    let mut go = Command::new("go");
    go.current_dir(directory).env("GOFLAGS", "-mod=readonly").args([
        "list",
        "-m",
        "-f",
        "{{.Dir}}",
        &pin.module,
    ]);
    let failed = |source| ComponentError::Tool { name: name.to_owned(), source };
    let mut download = Command::new("go");
    download.current_dir(directory).env("GOFLAGS", "-mod=readonly").args([
        "mod",
        "download",
        &pin.module,
    ]);
    tool::run(what, &mut download).map_err(failed)?;
    let origin = PathBuf::from(tool::text(what, &mut go).map_err(failed)?);
    if !origin.is_dir() {
        let answer = origin.display().to_string();
        return Err(ComponentError::Module { name: name.to_owned(), answer });
    }
    copy_tree(&origin, copy).map_err(source_error(name, "copying", &origin))?;
    for package in &pin.without {
        let path = copy.join(package);
        fs::remove_dir_all(&path).map_err(source_error(name, "leaving out", &path))?;
    }
    let main = copy.join("main.go");
    let text = fs::read_to_string(&main).map_err(source_error(name, "reading", &main))?;
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| {
            let imported = |package: &String| line.trim_end().ends_with(&format!("{package}\""));
            !pin.without.iter().any(imported)
        })
        .collect();
    fs::write(&main, kept).map_err(source_error(name, "writing", &main))
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_tree(&entry.path(), &target)?;
        } else {
            // Files of the module cache are read-only, and so would be their copies.
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
