//! The command tree.

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
    /// Print shell completion
    Completion(command::completion::Args) => |arguments, _| command::completion::run(&arguments),
    /// Work with the client configuration file
    Config(command::config::Args) => command::config::run,
    /// Print the kernel's log
    Dmesg(command::logs::DmesgArgs) => command::logs::dmesg,
    /// Follow what happens on a machine
    Events(command::events::Args) => command::events::run,
    /// Generate secrets, configurations, certificates and keys
    Gen(command::generate::Args) => command::generate::run,
    /// Read resources
    #[command(visible_alias = "g")]
    Get(command::get::Args) => command::get::run,
    /// Print the log of a service
    Logs(command::logs::LogsArgs) => command::logs::logs,
    /// List services, or look at, start, stop and restart one
    #[command(visible_alias = "services")]
    Service(command::service::Args) => command::service::run,
    /// Print the version of this program and of the machines
    Version(command::version::Args) => command::version::run,
}
