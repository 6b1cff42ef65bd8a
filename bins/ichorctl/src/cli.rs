//! The command tree.

#[cfg(test)]
mod contract;

use clap::{Parser, Subcommand};

use crate::{command, remote::RemoteArgs};

/// Operates machines and clusters that run Ichor
#[derive(Debug, Parser)]
#[command(name = "ichorctl", version = api::version::TAG, max_term_width = 120, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(subcommand)]
    command: Command,
}

macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident($arguments:ty) => $run:expr,)*) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($(#[$attribute])* $name($arguments),)*
        }

        impl Cli {
            /// Runs the chosen command.
            pub(crate) fn run(self) -> anyhow::Result<()> {
                match self.command {
                    $(Command::$name(arguments) => {
                        let run: fn($arguments, &RemoteArgs) -> anyhow::Result<()> = $run;
                        run(arguments, &self.remote)
                    })*
                }
            }
        }
    };
}

commands! {
    /// Give machines their configuration
    #[command(visible_alias = "apply")]
    ApplyConfig(command::apply::Args) => command::apply::run,
    /// Begin etcd on the first control plane node of a new cluster
    Bootstrap(command::bootstrap::Args) => command::bootstrap::run,
    /// Create, show and destroy local clusters
    Cluster(command::cluster::Args) => command::cluster::run,
    /// Print shell completion
    Completion(command::completion::Args) => |arguments, _| command::completion::run(&arguments),
    /// Work with the client configuration file
    Config(command::config::Args) => command::config::run,
    /// List containers
    #[command(visible_alias = "c")]
    Containers(command::containers::Args) => command::containers::containers,
    /// Copy a file or a directory from a machine
    #[command(visible_alias = "cp")]
    Copy(command::browse::CopyArgs) => command::browse::copy,
    /// Show machines live on the terminal
    Dashboard(command::dashboard::Args) => command::dashboard::run,
    /// Print the kernel's log
    Dmesg(command::logs::DmesgArgs) => command::logs::dmesg,
    /// Look at etcd
    Etcd(command::etcd::Args) => command::etcd::run,
    /// Follow what happens on a machine
    Events(command::events::Args) => command::events::run,
    /// Generate secrets, configurations, certificates and keys
    Gen(command::generate::Args) => command::generate::run,
    /// Read resources
    #[command(visible_alias = "g")]
    Get(command::get::Args) => command::get::run,
    /// Check whether the cluster is well, or show how it started
    Health(command::health::Args) => command::health::run,
    /// Make images that machines start from
    Image(command::image::Args) => |arguments, _| command::image::run(&arguments),
    /// Give the pods of manifests access to the machines' API
    Inject(command::inject::Args) => command::inject::run,
    /// Look into a machine's controllers
    Inspect(command::inspect::Args) => command::inspect::run,
    /// Fetch the administrator's kubeconfig
    Kubeconfig(command::kubeconfig::Args) => command::kubeconfig::run,
    /// List the files of a machine
    #[command(visible_alias = "ls")]
    List(command::browse::ListArgs) => command::browse::list,
    /// Print the log of a service
    Logs(command::logs::LogsArgs) => command::logs::logs,
    /// Work with configuration files
    #[command(visible_alias = "mc")]
    Machineconfig(command::machineconfig::Args) => command::machineconfig::run,
    /// Show the use of memory
    #[command(visible_aliases = ["m", "free"])]
    Memory(command::usage::MemoryArgs) => command::usage::memory,
    /// List mounts
    #[command(visible_alias = "mount")]
    Mounts(command::usage::MountsArgs) => command::usage::mounts,
    /// Change a machine's configuration
    Patch(command::patch::Args) => command::patch::run,
    /// List processes
    #[command(visible_aliases = ["p", "ps"])]
    Processes(command::usage::ProcessesArgs) => command::usage::processes,
    /// Print a file of a machine
    #[command(visible_alias = "cat")]
    Read(command::browse::ReadArgs) => command::browse::read,
    /// Reboot machines
    Reboot(command::power::RebootArgs) => command::power::reboot,
    /// Restart a container
    Restart(command::containers::RestartArgs) => command::containers::restart,
    /// List services, or look at, start, stop and restart one
    #[command(visible_alias = "services")]
    Service(command::service::Args) => command::service::run,
    /// Shut machines down
    Shutdown(command::power::ShutdownArgs) => command::power::shutdown,
    /// Show what containers use
    Stats(command::containers::Args) => command::containers::stats,
    /// Compare a machine's clock with a time server's
    Time(command::time::Args) => command::time::run,
    /// Show how much room directories take
    #[command(visible_alias = "du")]
    Usage(command::browse::UsageArgs) => command::browse::usage,
    /// Check a configuration file
    Validate(command::validate::Args) => command::validate::run,
    /// Print the version of this program and of the machines
    Version(command::version::Args) => command::version::run,
}
