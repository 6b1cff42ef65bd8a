//! `cluster destroy`.

use anyhow::{Context, bail};

use super::{Place, kept};

/// Arguments of `cluster destroy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove the cluster's directory even when something of it cannot be ended
    #[arg(short, long)]
    force: bool,
}

/// Removes the cluster.
pub(crate) fn run(place: &Place, arguments: &Args) -> anyhow::Result<()> {
    let state = place.state()?;
    let directory = place.directory()?;
    if !directory.path().exists() {
        eprintln!("there is no cluster {:?} in {}", place.name, state.display());
        return Ok(());
    }
    // Not every directory is a cluster's: a wrong --state must not remove anything else.
    if !directory.is_ours() {
        bail!(
            "{} is not the directory of a cluster; nothing was removed",
            directory.path().display()
        );
    }
    if let Err(error) = provision::native::destroy(&directory) {
        if !arguments.force {
            return Err(error).context(
                "the cluster could not be removed; --force removes its directory all the same",
            );
        }
        eprintln!("{:#}", anyhow::Error::from(error));
        directory.remove()?;
    }
    kept::forget(&state, &place.name)?;
    // Gone when it was the last cluster; otherwise it is still needed.
    std::fs::remove_dir(&state).ok();
    eprintln!("the cluster {:?} is removed", place.name);
    Ok(())
}
