//! `gen`: secrets, configurations, certificates and keys, all made on this machine.

mod certificates;
mod secrets;

use crate::remote::RemoteArgs;

/// Arguments of `gen`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Generate a certificate authority
    Ca(certificates::CaArgs),
    /// Generate a certificate for a request
    Crt(certificates::CrtArgs),
    /// Generate a certificate request
    Csr(certificates::CsrArgs),
    /// Generate a key
    Key(certificates::KeyArgs),
    /// Generate a self-signed certificate with its key
    Keypair(certificates::KeypairArgs),
    /// Generate the secrets of a new cluster
    Secrets(secrets::Args),
}

/// Runs the command.
pub(crate) fn run(arguments: Args, _before: &RemoteArgs) -> anyhow::Result<()> {
    match arguments.command {
        Command::Ca(arguments) => certificates::ca(&arguments),
        Command::Crt(arguments) => certificates::crt(&arguments),
        Command::Csr(arguments) => certificates::csr(&arguments),
        Command::Key(arguments) => certificates::key(&arguments),
        Command::Keypair(arguments) => certificates::keypair(&arguments),
        Command::Secrets(arguments) => secrets::run(&arguments),
    }
}
