//! `cluster`: local clusters on this machine.

mod configuration;
mod create;
mod destroy;
mod health;
mod kubeconfig;
mod machines;
mod power;
mod progress;
mod screenshot;
mod show;
mod wait;

use std::path::PathBuf;

use anyhow::Context as _;
use provision::state::ClusterDirectory;

use crate::remote::RemoteArgs;

/// Arguments of `cluster`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// What a cluster's nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Process trees in namespaces of this machine
    Native,
    /// Virtual machines
    Qemu,
}

/// Which cluster.
#[derive(Debug, clap::Args)]
struct Place {
    /// Name of the cluster
    #[arg(long, global = true, default_value = "ichor-default")]
    name: String,
    /// Directory with the clusters' directories [default: ~/.ichor/clusters]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
}

impl Place {
    /// The directory with all clusters.
    fn state(&self) -> anyhow::Result<PathBuf> {
        let state = match &self.state {
            Some(state) => state.clone(),
            None => std::env::home_dir()
                .filter(|home| home.is_absolute())
                .map(|home| home.join(".ichor/clusters"))
                .context("there is no home directory; name the clusters' directory with --state")?,
        };
        // The supervisor has another working directory.
        std::path::absolute(&state).with_context(|| format!("finding {}", state.display()))
    }

    fn directory(&self) -> anyhow::Result<ClusterDirectory> {
        Ok(ClusterDirectory::new(&self.state()?, &self.name))
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a cluster, or start the one that is there
    Create(Box<create::Args>),
    /// Show a cluster and its nodes
    Show(show::Args),
    /// Remove a cluster and everything that came with it
    Destroy(destroy::Args),
    /// Print what a node says on its console
    Logs(power::LogsArgs),
    /// Restart a node the hard way: cut its power and give it back
    Reboot(power::RebootArgs),
    /// Cut or give a node's power
    Power(power::PowerArgs),
    /// Save a picture of a virtual machine's screen
    Screenshot(screenshot::Args),
}

/// Runs the command.
pub(crate) fn run(arguments: Args, _: &RemoteArgs) -> anyhow::Result<()> {
    let place = arguments.place;
    match arguments.command {
        Command::Create(arguments) => create::run(*arguments, &place),
        Command::Show(arguments) => show::run(&arguments, &place.directory()?),
        Command::Destroy(arguments) => destroy::run(&arguments, &place.directory()?),
        Command::Logs(arguments) => power::logs(&arguments, &place.directory()?),
        Command::Reboot(arguments) => power::reboot(&arguments, &place.directory()?),
        Command::Screenshot(arguments) => screenshot::run(&arguments, &place.directory()?),
        Command::Power(arguments) => power::power(&arguments, &place.directory()?),
    }
}

/// A cluster of one control plane and one worker, for tests.
#[cfg(test)]
fn example() -> provision::spec::ClusterSpec {
    use provision::spec::{Provisioner, Request, RootImage, Size};
    let size = Size { millicpus: 2000, memory: 2 << 30 };
    let request = Request {
        name: "x".into(),
        network: "10.5.0.0/24".parse().unwrap(),
        mtu: 1500,
        control_planes: 1,
        workers: 1,
        control_plane_size: size,
        worker_size: size,
        provisioner: Provisioner::Native { root: RootImage::Directory("/r".into()) },
        image_cache: None,
    };
    request.plan().unwrap()
}
