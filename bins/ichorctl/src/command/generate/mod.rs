//! `gen`: secrets, configurations, certificates and keys, all made on this machine.

mod certificates;
mod config;
mod secrets;
mod secureboot;

use crate::remote::RemoteArgs;

pub(crate) use config::{Args as ConfigArgs, run as config};

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
    /// Generate the configurations of a new cluster
    Config(Box<config::Args>),
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
    /// Generate the keys and the variables of secure boot
    Secureboot(secureboot::Args),
}

/// Runs the command.
pub(crate) fn run(arguments: Args, _before: &RemoteArgs) -> anyhow::Result<()> {
    match arguments.command {
        Command::Ca(arguments) => certificates::ca(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Crt(arguments) => certificates::crt(&arguments),
        Command::Csr(arguments) => certificates::csr(&arguments),
        Command::Key(arguments) => certificates::key(&arguments),
        Command::Keypair(arguments) => certificates::keypair(&arguments),
        Command::Secrets(arguments) => secrets::run(&arguments),
        Command::Secureboot(arguments) => secureboot::run(arguments),
    }
}

/// What the secrets of a new cluster look like in a release.
fn form_of(contract: ::config::generate::Contract) -> pki::bundle::Form {
    pki::bundle::Form {
        aescbc: !contract.at_least(1, 3),
        ecdsa_service_account: !contract.at_least(1, 7),
    }
}

/// The secrets in the form that configurations are generated from.
pub(crate) fn secrets_of(secrets: &pki::Secrets) -> ::config::generate::Secrets<'_> {
    fn pair(pair: &pki::bundle::Pair) -> ::config::generate::Pair<'_> {
        ::config::generate::Pair { crt: &pair.certificate, key: &pair.key }
    }
    ::config::generate::Secrets {
        cluster_id: &secrets.cluster_id,
        cluster_secret: &secrets.cluster_secret,
        bootstrap_token: &secrets.bootstrap_token,
        secretbox_encryption_secret: &secrets.secretbox_encryption_secret,
        aescbc_encryption_secret: &secrets.aescbc_encryption_secret,
        trustd_token: &secrets.trustd_token,
        etcd: pair(&secrets.etcd),
        kubernetes: pair(&secrets.kubernetes),
        aggregator: pair(&secrets.aggregator),
        service_account_key: &secrets.service_account_key,
        os: pair(&secrets.os),
    }
}
