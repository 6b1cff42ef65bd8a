//! `/etc`: every wanted file is written into the writable view, and appears at once in the read-only one.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use ::runtime::controller::{ControllerError, Input, Next, Output};
use resource::files::{EtcFileSpecSpec, EtcFileStatusSpec};

use super::atomic;
use crate::plain::{Plain, plain};

/// A wanted file whose place is not below `/etc`.
#[derive(Debug, thiserror::Error)]
#[error("file {id:?} is not written: its name must be a path below /etc")]
struct PlaceError {
    id: String,
}

/// The place of the file `id` below `directory`.
fn place(directory: &Path, id: &str) -> Result<PathBuf, PlaceError> {
    let path = Path::new(id);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if id.is_empty() || !plain {
        return Err(PlaceError { id: id.to_owned() });
    }
    Ok(directory.join(path))
}

/// Writes `EtcFileSpecs` below `directory` (the writable view of `/etc`) and says which version is there.
/// `direct` names the directories that are file systems of their own below the visible `/etc`.
pub(super) fn controller(
    directory: PathBuf,
    visible: PathBuf,
    direct: &'static [&'static str],
) -> Plain<impl FnMut(&::runtime::controller::Context) -> Result<Next, ControllerError>> {
    plain(
        "files.EtcFileController",
        vec![Input::weak::<EtcFileSpecSpec>("files")],
        vec![Output::exclusive::<EtcFileStatusSpec>()],
        move |context| {
            let mut kept = BTreeSet::new();
            let mut failed = None;
            for file in context.list::<EtcFileSpecSpec>("files") {
                let id = file.id();
                let root = match direct.iter().any(|name| id.starts_with(&format!("{name}/"))) {
                    true => &visible,
                    false => &directory,
                };
                let version = file.metadata.version.to_string();
                let written = place(root, id).map_err(ControllerError::from).and_then(|path| {
                    let mode = if file.spec.mode == 0 { 0o644 } else { file.spec.mode };
                    Ok(atomic::write(&path, &file.spec.contents, mode)?)
                });
                match written {
                    Ok(_) => {
                        context.modify::<EtcFileStatusSpec>("files", id, |status| {
                            status.spec_version.clone_from(&version);
                        })?;
                    }
                    // One bad file must not keep the others from being written.
                    Err(error) => failed = Some(error),
                }
                kept.insert(id.to_owned());
            }
            for status in context.list::<EtcFileStatusSpec>("files") {
                if !kept.contains(status.id()) {
                    let root = match direct.iter().any(|name| status.id().starts_with(name)) {
                        true => &visible,
                        false => &directory,
                    };
                    // Not there is what is wanted.
                    let _ = place(root, status.id()).map(std::fs::remove_file);
                }
            }
            context.cleanup::<EtcFileStatusSpec>("files", |status| kept.contains(status.id()))?;
            failed.map_or(Ok(Next::OnChange), Err)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_below_etc() {
        let etc = Path::new("/system/etc");
        assert_eq!(place(etc, "cri/conf.d/cri.toml").unwrap(), etc.join("cri/conf.d/cri.toml"));
        for bad in ["", "/etc/passwd", "../shadow", "a/../../b"] {
            assert!(place(etc, bad).is_err(), "{bad}");
        }
    }
}
