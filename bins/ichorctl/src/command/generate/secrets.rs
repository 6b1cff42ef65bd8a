//! `gen secrets`: the secrets that every configuration of one cluster is made from.

use std::path::{Path, PathBuf};

use anyhow::Context;
use config::{generate::Contract, view::PemPair};
use pki::{Secrets, System, bundle::Pair};

use crate::{files, remote};

/// Arguments of `gen secrets`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File to write; - for standard output
    #[arg(
        short,
        long = "output-file",
        alias = "output",
        value_name = "FILE",
        default_value = "secrets.yaml"
    )]
    output: PathBuf,
    /// Write the secrets for an older release, such as v1.12
    #[arg(long, value_name = "VERSION")]
    talos_version: Option<Contract>,
    /// Take over the secrets of the cluster that a control plane's configuration is of
    #[arg(long, value_name = "FILE", conflicts_with = "from_kubernetes_pki")]
    from_controlplane_config: Option<PathBuf>,
    /// Take over the authorities of a Kubernetes cluster from its PKI directory
    #[arg(short = 'p', long, value_name = "DIR")]
    from_kubernetes_pki: Option<PathBuf>,
    /// Bootstrap token to take over, with --from-kubernetes-pki
    #[arg(short = 't', long, value_name = "TOKEN", requires = "from_kubernetes_pki")]
    kubernetes_bootstrap_token: Option<String>,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
}

/// Writes the bundle.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    let to_stdout = arguments.output.as_os_str() == "-";
    if !to_stdout {
        files::refuse_existing(&[&arguments.output], arguments.force)?;
    }
    let mut secrets = match &arguments.from_controlplane_config {
        Some(path) => of_control_plane(path)?,
        None => {
            let form = super::form_of(arguments.talos_version.unwrap_or_default());
            Secrets::generate_as(form, remote::now(), &mut System)?
        }
    };
    if let Some(directory) = &arguments.from_kubernetes_pki {
        let pair = |name: &str| -> anyhow::Result<Pair> {
            let base = directory.join(name);
            let pair = Pair {
                certificate: files::read_text(&base.with_extension("crt"))?,
                key: key(&base.with_extension("key"))?,
            };
            pair.authority().with_context(|| format!("using the authority {}", base.display()))?;
            Ok(pair)
        };
        secrets.kubernetes = pair("ca")?;
        secrets.etcd = pair("etcd/ca")?;
        secrets.aggregator = pair("front-proxy-ca")?;
        secrets.service_account_key = key(&directory.join("sa.key"))?;
        if let Some(token) = &arguments.kubernetes_bootstrap_token {
            secrets.bootstrap_token.clone_from(token);
        }
        secrets.validate().with_context(|| format!("using {}", directory.display()))?;
    }
    let text = secrets.to_yaml();
    if to_stdout { files::print(&text) } else { write(&arguments.output, &text) }
}

/// A private key as the system takes it: OpenSSL writes the name of a curve as a block of its own before the key, which says
/// it again.
fn key(path: &Path) -> anyhow::Result<String> {
    const END: &str = "-----END EC PARAMETERS-----";
    let text = files::read_text(path)?;
    Ok(match text.split_once(END) {
        Some((parameters, key)) if parameters.starts_with("-----BEGIN EC PARAMETERS-----") => {
            key.trim_start().to_owned()
        }
        _ => text,
    })
}

/// The secrets in a control plane's configuration; every one that is missing is named.
fn of_control_plane(path: &Path) -> anyhow::Result<Secrets> {
    let text = files::read_text(path)?;
    let config = config::load(text.as_bytes())
        .with_context(|| format!("using the configuration {}", path.display()))?;
    let secrets = taken_from(&config);
    secrets.validate().with_context(|| {
        format!("taking the secrets of a control plane from {}", path.display())
    })?;
    Ok(secrets)
}

fn taken_from(config: &config::Config) -> Secrets {
    let view = config.view();
    let pair = |pair: Option<PemPair>| {
        pair.map(|pair| Pair { certificate: pair.crt, key: pair.key }).unwrap_or_default()
    };
    let (cluster_id, cluster_secret) = view.discovery_identity();
    let (_, aescbc) = view.etcd_encryption_secrets();
    Secrets {
        cluster_id: cluster_id.to_owned(),
        cluster_secret: cluster_secret.to_owned(),
        bootstrap_token: view.bootstrap_token().to_owned(),
        secretbox_encryption_secret: view.secretbox_key().unwrap_or_default().to_owned(),
        aescbc_encryption_secret: aescbc.to_owned(),
        trustd_token: view.machine_token().to_owned(),
        etcd: pair(view.etcd_ca()),
        kubernetes: pair(view.kubernetes_ca().issuing),
        aggregator: pair(view.aggregator_ca().issuing),
        service_account_key: view
            .service_account()
            .map(|account| account.private_key)
            .unwrap_or_default(),
        os: pair(view.machine_ca()),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    files::write(path, text.as_bytes(), 0o600)
}

#[cfg(test)]
mod tests {
    use config::generate::{self, Options, parse_endpoint};
    use config::view::MachineType;

    use super::*;
    use crate::command::generate::secrets_of;

    #[test]
    fn the_secrets_of_a_generated_configuration_are_those_it_was_made_from() {
        let secrets = Secrets::generate(1_700_000_000, &mut System).unwrap();
        let endpoint = parse_endpoint("https://10.5.0.2:6443").unwrap();
        for contract in ["v1.14", "v1.12"] {
            let mut options = Options::new("x", endpoint.clone());
            options.contract = contract.parse().unwrap();
            let made =
                generate::generate(&options, &secrets_of(&secrets), MachineType::ControlPlane);
            assert!(taken_from(&made) == secrets, "{contract}:\n{}", made.encode());
            let worker = generate::generate(&options, &secrets_of(&secrets), MachineType::Worker);
            assert!(taken_from(&worker).validate().is_err(), "a worker has not all of them");
        }
    }
}
