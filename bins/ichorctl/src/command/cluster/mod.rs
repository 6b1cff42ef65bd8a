//! `cluster`: local clusters.

mod create;
mod destroy;
mod kept;
mod machines;
mod ready;
mod show;

use std::path::PathBuf;

use crate::remote::RemoteArgs;

/// Arguments of `cluster`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Which cluster.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// Name of the cluster
    #[arg(long, global = true, default_value = "ichor")]
    name: String,
    /// Directory that local clusters are kept in [default: ~/.ichor/clusters]
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a cluster, or start it again
    Create(Box<create::Args>),
    /// Remove a cluster and everything that came with it
    Destroy(destroy::Args),
    /// Show a cluster
    Show,
}

impl Place {
    fn state(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.state {
            return Ok(std::path::absolute(path)?);
        }
        let home = std::env::var_os("HOME").ok_or_else(|| {
            anyhow::anyhow!("HOME is not set, so --state must say where clusters are kept")
        })?;
        Ok(PathBuf::from(home).join(".ichor/clusters"))
    }

    fn directory(&self) -> anyhow::Result<provision::state::ClusterDirectory> {
        Ok(provision::state::ClusterDirectory::new(&self.state()?, &self.name))
    }
}

/// Runs the command.
pub(crate) fn run(arguments: Args, _before: &RemoteArgs) -> anyhow::Result<()> {
    let place = arguments.place;
    match arguments.command {
        Command::Create(arguments) => create::run(&place, &arguments),
        Command::Destroy(arguments) => destroy::run(&place, &arguments),
        Command::Show => show::run(&place),
    }
}
