//! `gen config`: the configurations of a new cluster and the client configuration to operate it with.

use std::path::{Path, PathBuf};

use ::config::{
    generate::{self, Comments, Contract, Options},
    patch,
    view::MachineType,
};
use anyhow::{Context as _, bail};
use pki::{Access, Context, Secrets, System};

use crate::{command::patches, files, remote};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    #[value(name = "controlplane")]
    ControlPlane,
    Worker,
    Talosconfig,
}

impl Output {
    fn file_name(self) -> &'static str {
        match self {
            Self::ControlPlane => "controlplane.yaml",
            Self::Worker => "worker.yaml",
            Self::Talosconfig => "talosconfig",
        }
    }
}

/// Arguments of `gen config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cluster
    name: String,
    /// URL of the Kubernetes API, such as https://10.5.0.2:6443
    endpoint: String,
    /// Directory to write to; a file, or - for standard output, for a single output type
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "DIR", conflicts_with = "output")]
    output_dir: Option<PathBuf>,
    /// What to write
    #[arg(short = 't', long, value_enum, value_delimiter = ',', default_values = ["controlplane", "worker", "talosconfig"])]
    output_types: Vec<Output>,
    /// Secrets of the cluster [default: new ones]
    #[arg(long, value_name = "FILE")]
    with_secrets: Option<PathBuf>,
    /// Further names and addresses for the certificates of both APIs
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    additional_sans: Vec<String>,
    /// Domain of cluster names
    #[arg(long, value_name = "DOMAIN", default_value = ::config::defaults::DNS_DOMAIN)]
    dns_domain: String,
    /// Disk to install on; empty for none
    #[arg(long, value_name = "DEVICE", default_value = "/dev/sda")]
    install_disk: String,
    /// Image of the installer [default: the one of this release]
    #[arg(long, value_name = "IMAGE")]
    install_image: Option<String>,
    /// Version of Kubernetes
    #[arg(long, value_name = "VERSION", default_value = ::config::defaults::KUBERNETES_VERSION)]
    kubernetes_version: String,
    /// Write the configurations for an older release, such as v1.12
    #[arg(long, value_name = "VERSION")]
    talos_version: Option<Contract>,
    /// Mirror of a registry, as HOST=URL; repeatable
    #[arg(long, value_name = "HOST=URL")]
    registry_mirror: Vec<String>,
    /// Let members find each other through the discovery service
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    with_cluster_discovery: bool,
    /// Join the machines by a mesh of encrypted links
    #[arg(long)]
    with_kubespan: bool,
    /// Explain each field in a comment
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    with_docs: bool,
    /// Show in comments what fields that are not set could look like
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    with_examples: bool,
    /// Version of the configuration language
    #[arg(long, value_name = "VERSION", default_value = "v1alpha1", value_parser = ["v1alpha1"])]
    version: String,
    #[arg(long, hide = true)]
    skip_k8s_etcd: bool,
    /// Patch for all machines: a text, or @FILE; repeatable
    #[arg(long, value_name = "PATCH")]
    config_patch: Vec<String>,
    /// Patch for control plane nodes
    #[arg(long, value_name = "PATCH")]
    config_patch_control_plane: Vec<String>,
    /// Patch for workers
    #[arg(long, value_name = "PATCH")]
    config_patch_worker: Vec<String>,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

/// Where each output goes.
enum Target {
    Stdout,
    Files(Vec<PathBuf>),
}

/// Generates and writes.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    let types = unique(&arguments.output_types);
    let target = target(arguments, &types)?;
    let options = options(arguments)?;
    let secrets = secrets(arguments)?;
    if let Target::Files(paths) = &target {
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        files::refuse_existing(&paths, arguments.force)?;
    }
    // Everything is made before anything is written.
    let mut texts = Vec::new();
    for output in &types {
        texts.push(match output {
            Output::ControlPlane => {
                machine(arguments, &options, &secrets, MachineType::ControlPlane)?
            }
            Output::Worker => machine(arguments, &options, &secrets, MachineType::Worker)?,
            Output::Talosconfig => talosconfig(&arguments.name, &secrets)?,
        });
    }
    match target {
        Target::Stdout => files::print(&texts.concat()),
        Target::Files(paths) => {
            for (path, text) in paths.iter().zip(texts) {
                if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
                    std::fs::create_dir_all(directory)
                        .with_context(|| format!("making {}", directory.display()))?;
                }
                files::write(path, text.as_bytes(), 0o644)?;
                eprintln!("Created {}", path.display());
            }
            Ok(())
        }
    }
}

fn unique(types: &[Output]) -> Vec<Output> {
    let mut unique: Vec<Output> = Vec::new();
    for output in types {
        if !unique.contains(output) {
            unique.push(*output);
        }
    }
    unique
}

fn target(arguments: &Args, types: &[Output]) -> anyhow::Result<Target> {
    let path = arguments.output.as_ref().or(arguments.output_dir.as_ref());
    let Some(path) = path else {
        return Ok(Target::Files(types.iter().map(|output| output.file_name().into()).collect()));
    };
    if let [output] = types {
        if path.as_os_str() == "-" {
            return Ok(Target::Stdout);
        }
        if arguments.output_dir.is_some() || path.is_dir() {
            return Ok(Target::Files(vec![path.join(output.file_name())]));
        }
        return Ok(Target::Files(vec![path.clone()]));
    }
    if path.as_os_str() == "-" || path.is_file() {
        bail!(
            "{} output types cannot go into {}; name a directory, or one type with --output-types",
            types.len(),
            if path.as_os_str() == "-" {
                "standard output".to_owned()
            } else {
                path.display().to_string()
            }
        );
    }
    Ok(Target::Files(types.iter().map(|output| path.join(output.file_name())).collect()))
}

fn options(arguments: &Args) -> anyhow::Result<Options> {
    let endpoint = generate::parse_endpoint(&arguments.endpoint)?;
    let contract = arguments.talos_version.unwrap_or_default();
    let mut options = Options::new(&arguments.name, endpoint);
    for mirror in &arguments.registry_mirror {
        let Some((host, url)) =
            mirror.split_once('=').filter(|(host, url)| !host.is_empty() && !url.is_empty())
        else {
            bail!("--registry-mirror {mirror:?} is not of the form HOST=URL");
        };
        options.registry_mirrors.entry(host.to_owned()).or_default().push(url.to_owned());
    }
    let tag = std::env::var("TAG").ok().filter(|tag| !tag.is_empty());
    let default_image =
        || generate::install_image(contract, tag.as_deref().unwrap_or(::config::defaults::RELEASE));
    Ok(Options {
        contract,
        kubernetes_version: arguments.kubernetes_version.trim_start_matches('v').to_owned(),
        install_disk: arguments.install_disk.clone(),
        install_image: arguments.install_image.clone().unwrap_or_else(default_image),
        additional_sans: arguments.additional_sans.clone(),
        dns_domain: arguments.dns_domain.clone(),
        discovery: arguments.with_cluster_discovery,
        kube_span: arguments.with_kubespan,
        skip_kubernetes: arguments.skip_k8s_etcd,
        ..options
    })
}

fn secrets(arguments: &Args) -> anyhow::Result<Secrets> {
    let Some(path) = &arguments.with_secrets else {
        let form = super::form_of(arguments.talos_version.unwrap_or_default());
        return Ok(Secrets::generate_as(form, remote::now(), &mut System)?);
    };
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let secrets = Secrets::from_yaml(&text).with_context(|| format!("using {}", path.display()))?;
    secrets
        .validate_parts(!arguments.skip_k8s_etcd)
        .with_context(|| format!("using {}", path.display()))?;
    Ok(secrets)
}

fn machine(
    arguments: &Args,
    options: &Options,
    secrets: &Secrets,
    machine: MachineType,
) -> anyhow::Result<String> {
    let config = generate::generate(options, &super::secrets_of(secrets), machine);
    let mut patches = patches::read(&arguments.config_patch)?;
    patches.extend(patches::read(match machine {
        MachineType::Worker => &arguments.config_patch_worker,
        _ => &arguments.config_patch_control_plane,
    })?);
    let config = if patches.is_empty() {
        config
    } else {
        patch::apply_to(&config, &patches).context("patching the new configuration")?
    };
    let comments = Comments { docs: arguments.with_docs, examples: arguments.with_examples };
    Ok(generate::render(&config, comments))
}

fn talosconfig(name: &str, secrets: &Secrets) -> anyhow::Result<String> {
    let identity = secrets.client(&["os:admin".to_owned()], remote::now(), &mut System)?;
    let context = Context::new(&secrets.os.certificate, &identity)?;
    Ok(Access::with(name, context).to_yaml())
}
