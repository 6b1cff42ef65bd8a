//! `gen secrets`: the secrets that every configuration of one cluster is made from.

use std::path::{Path, PathBuf};

use anyhow::Context;
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
    let mut secrets = Secrets::generate(remote::now(), &mut System)?;
    if let Some(directory) = &arguments.from_kubernetes_pki {
        let pair = |name: &str| -> anyhow::Result<Pair> {
            let base = directory.join(name);
            let pair = Pair {
                certificate: files::read_text(&base.with_extension("crt"))?,
                key: files::read_text(&base.with_extension("key"))?,
            };
            pair.authority().with_context(|| format!("using the authority {}", base.display()))?;
            Ok(pair)
        };
        secrets.kubernetes = pair("ca")?;
        secrets.etcd = pair("etcd/ca")?;
        secrets.aggregator = pair("front-proxy-ca")?;
        secrets.service_account_key = files::read_text(&directory.join("sa.key"))?;
        if let Some(token) = &arguments.kubernetes_bootstrap_token {
            secrets.bootstrap_token.clone_from(token);
        }
        secrets.validate()?;
    }
    let text = secrets.to_yaml();
    if to_stdout { files::print(&text) } else { write(&arguments.output, &text) }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    files::write(path, text.as_bytes(), 0o600)
}
