//! `cluster destroy`: nothing is left.

use provision::state::ClusterDirectory;
use provision::supervisor;

/// Arguments of `cluster destroy`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Remove the cluster's directory even when something of the cluster cannot be ended
    #[arg(short, long)]
    force: bool,
}

pub(super) fn run(arguments: &Args, directory: &ClusterDirectory) -> anyhow::Result<()> {
    if !directory.path().exists() {
        eprintln!("there is no cluster in {}: nothing to remove", directory.path().display());
        return Ok(());
    }
    match supervisor::destroy(directory) {
        Err(error) if arguments.force => {
            eprintln!("warning: {error}");
            directory.remove()?;
        }
        result => result?,
    }
    eprintln!("removed {}", directory.path().display());
    Ok(())
}
