//! Taking a planned step: the writes, in their order, and telling the kernel.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use storage::volume::{Action, ActionError, Fresh, Observed, Step, actions};
use sys::block::{Change, change_partition};
use uuid::Uuid;

use crate::Paths;

/// Why a step was not taken, or not to its end. What was written is seen at the next look.
#[derive(Debug, thiserror::Error)]
pub(super) enum PerformError {
    #[error(transparent)]
    Action(#[from] ActionError),
    #[error("cannot write to {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the kernel does not take partition {number} of {path}")]
    Tell {
        path: PathBuf,
        number: u32,
        #[source]
        source: io::Error,
    },
}

/// Takes a step.
pub(super) fn perform(paths: &Paths, step: &Step, observed: &Observed) -> Result<(), PerformError> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let fresh = Fresh {
        random: std::array::from_fn(|_| *Uuid::new_v4().as_bytes()),
        time: u32::try_from(time).unwrap_or(u32::MAX),
    };
    let mut open: Option<(String, File)> = None;
    for action in actions(step, observed, fresh)? {
        let (Action::Write { device, .. }
        | Action::Sync { device }
        | Action::Tell { disk: device, .. }) = &action;
        let path = paths.at("/dev").join(device);
        let failed = |source| PerformError::Write { path: path.clone(), source };
        let file = match &open {
            Some((name, file)) if name == device => file,
            _ => {
                let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
                &open.insert((device.clone(), file)).1
            }
        };
        match &action {
            Action::Write { piece, .. } => {
                file.write_all_at(&piece.bytes, piece.offset).map_err(failed)?;
            }
            Action::Sync { .. } => file.sync_all().map_err(failed)?,
            Action::Tell { new, number, start, length, .. } => {
                let change = if *new { Change::Add } else { Change::Resize };
                change_partition(file, change, *number, *start, *length).map_err(|source| {
                    PerformError::Tell { path: path.clone(), number: *number, source }
                })?;
            }
        }
    }
    Ok(())
}
