//! Virtual machines: what they are made of, and configuring them over the API as a user does on
//! hardware.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use api::machine::{ApplyConfigurationRequest, apply_configuration_request::Mode};
use client::{Connection, ConnectionOptions, Endpoint, Named as _, Node, Trust};
use futures::future::try_join_all;
use image::machine::Assets;
use image::media;
use pki::{Access, Secrets};
use provision::qemu::{self, Accelerator, Emulation};
use provision::spec::{Acceleration, ClusterSpec, MACHINE_API_PORT, MachineSpec, NodeSpec};
use provision::state::ClusterDirectory;
use tokio::sync::watch;
use yaml::Value;

use super::configuration::{self, ConfigurationArgs, Links, Surroundings};
use super::progress::{Progress, Step};
use super::wait::Wait;
use super::{create, health};
use crate::command::get;
use crate::files;
use crate::output::age;

/// Between two attempts to reach an API that is about to listen: nothing tells about that.
const AGAIN: Duration = Duration::from_millis(250);
/// An attempt that got no answer until then never will: the machine was not listening when it began.
const ATTEMPT: Duration = Duration::from_secs(8);
/// How many lines of a machine's console an error shows.
const TAIL: usize = 15;

/// What virtual machines are made of.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Virtual machines")]
pub(super) struct MachineArgs {
    /// Disk image that the machines start from
    #[arg(long, value_name = "FILE", default_value = "out/image/disk.raw.zst")]
    disk_image_path: PathBuf,
    /// Kernel that a trial guest is started with, to find out whether KVM works
    #[arg(long, value_name = "FILE", default_value = "out/image/vmlinuz")]
    vmlinuz_path: PathBuf,
    /// Size of each machine's disk
    #[arg(long, value_name = "SIZE", default_value = "10GiB", value_parser = create::memory)]
    disk: u64,
    /// Who executes the machines' code
    #[arg(long, value_enum, value_name = "WHO", default_value = "auto")]
    accelerator: Who,
    /// Words added to the kernel command line
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    extra_boot_kernel_args: String,
    /// Give the machines a TPM 2.0
    #[arg(long)]
    with_tpm2: bool,
    /// Give the machines a watchdog that resets them
    #[arg(long)]
    with_watchdog: bool,
    /// How long the machines may run before their power is taken
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = age::parse)]
    time_limit: Duration,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Who {
    /// The processor if a trial shows that it can, else the emulator
    Auto,
    /// The processor
    Kvm,
    /// The emulator
    Tcg,
}

impl MachineArgs {
    /// The machines' hardware.
    pub(super) fn spec(&self) -> anyhow::Result<MachineSpec> {
        let kernel = create::absolute(&self.vmlinuz_path)?;
        Ok(MachineSpec {
            image: create::absolute(&self.disk_image_path)?,
            disk: self.disk,
            kernel: kernel.exists().then_some(kernel),
            acceleration: match self.accelerator {
                Who::Auto => Acceleration::Auto,
                Who::Kvm => Acceleration::Kvm,
                Who::Tcg => Acceleration::Tcg,
            },
            tpm: self.with_tpm2,
            watchdog: self.with_watchdog,
            kernel_arguments: self.extra_boot_kernel_args.clone(),
            time_limit: self.time_limit,
        })
    }
}

/// Who executes the machines' code and why not somebody better.
pub(super) fn describe(emulation: &Emulation) -> String {
    let mut text = emulation.accelerator.to_string();
    for (what, why) in &emulation.refused {
        text.push_str(&format!("; {what} does not work: {why}"));
    }
    text
}

/// What the kernel of an emulated machine is told. A processor that is emulated leaks nothing
/// between processes, so what a kernel does against leaks only costs, and emulation makes it dear:
/// each system call would empty the table of addresses twice.
const EMULATED: &str = "pti=off mitigations=off";

/// Makes the image that the machines start from when it is not the one that was built: its command
/// line is a part of it.
pub(super) fn make_image(
    directory: &ClusterDirectory,
    machine: &MachineSpec,
    emulation: &Emulation,
) -> anyhow::Result<()> {
    let mut words: Vec<&str> = match emulation.accelerator {
        Accelerator::Kvm => Vec::new(),
        Accelerator::Tcg { .. } => EMULATED.split_whitespace().collect(),
    };
    let parts = machine.image.parent().unwrap_or(&machine.image);
    // An image that came alone is taken as it is.
    let alone = !image::machine::FILES.iter().all(|name| parts.join(name).exists());
    if alone && machine.kernel_arguments.is_empty() {
        return Ok(());
    }
    words.extend(machine.kernel_arguments.split_whitespace());
    if words.is_empty() {
        return Ok(());
    }
    qemu::make_image(directory, |output| {
        let (assets, mut line) = Assets::read(parts).with_context(|| {
            format!("adding {:?} to the kernel's command line", machine.kernel_arguments)
        })?;
        for word in &words {
            line.push(image::machine::argument(word)?);
        }
        anyhow::Ok(media::disk(&assets, &line, 0, output)?)
    })
    .context("making the image of the machines")?;
    Ok(())
}

/// The end of each machine's console, for an error.
pub(super) fn tails(spec: &ClusterSpec, directory: &ClusterDirectory) -> String {
    spec.nodes.iter().map(|node| tail(node, directory)).collect()
}

fn tail(node: &NodeSpec, directory: &ClusterDirectory) -> String {
    let lines = directory.console_tail(&node.name, TAIL);
    if lines.is_empty() {
        return format!("\n--- {} has said nothing on its serial line", node.name);
    }
    format!("\n--- the end of {}'s serial line:\n{}", node.name, lines.join("\n"))
}

/// What a machine's API says about it.
enum Stage {
    /// It waits for a configuration.
    Maintenance(Node),
    /// It has one.
    Configured,
}

/// Everything that configuring machines needs.
pub(super) struct Setup<'a> {
    pub(super) spec: &'a ClusterSpec,
    pub(super) directory: &'a ClusterDirectory,
    pub(super) access: &'a Access,
    pub(super) secrets: &'a Secrets,
    pub(super) arguments: &'a ConfigurationArgs,
    pub(super) emulation: &'a Emulation,
}

impl Setup<'_> {
    /// Waits for each machine, and gives those without a configuration theirs.
    pub(super) async fn configure(
        &self,
        progress: &mut Progress,
        wait: &Wait<'_>,
    ) -> anyhow::Result<()> {
        progress
            .phase_async("configure the machines", async |step| {
                wait.until(step, async |step| self.all(step).await).await
            })
            .await
    }

    async fn all(&self, step: &mut Step<'_>) -> anyhow::Result<()> {
        let waiting = watch::Sender::new(Vec::new());
        let work = try_join_all(self.spec.nodes.iter().map(|node| self.one(node, &waiting)));
        let mut changes = waiting.subscribe();
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done.map(|_| ()),
                Ok(()) = changes.changed() => {
                    step.detail(changes.borrow_and_update().join(" | "));
                }
            }
        }
    }

    async fn one(
        &self,
        node: &NodeSpec,
        waiting: &watch::Sender<Vec<String>>,
    ) -> anyhow::Result<()> {
        let tell = |what: &str| {
            waiting.send_modify(|list| {
                list.retain(|line: &String| !line.starts_with(&format!("{}: ", node.name)));
                if !what.is_empty() {
                    list.push(format!("{}: {what}", node.name));
                }
            });
        };
        tell("waiting for its API");
        if let Stage::Maintenance(machine) = self.stage(node).await? {
            tell("sending its configuration");
            let context = || format!("configuring {}{}", node.name, tail(node, self.directory));
            self.apply(node, &machine).await.with_context(context)?;
            tell("waiting until it has taken its configuration");
            self.until(node, async || {
                let known = self.secure(node)?;
                Ok(known.machine().version(()).await.is_ok().then_some(()))
            })
            .await?;
        }
        tell("");
        Ok(())
    }

    /// Waits until the machine's API answers, in maintenance or not.
    async fn stage(&self, node: &NodeSpec) -> anyhow::Result<Stage> {
        self.until(node, async || {
            let unknown = self.insecure(node)?;
            if unknown.machine().version(()).await.is_ok() {
                return Ok(Some(Stage::Maintenance(unknown)));
            }
            let known = self.secure(node)?;
            Ok(known.machine().version(()).await.is_ok().then_some(Stage::Configured))
        })
        .await
    }

    /// Repeats an attempt until it finds something, as long as the machine has power.
    async fn until<T, F>(&self, node: &NodeSpec, attempt: impl Fn() -> F) -> anyhow::Result<T>
    where
        F: Future<Output = anyhow::Result<Option<T>>>,
    {
        loop {
            if let Ok(found) = tokio::time::timeout(ATTEMPT, attempt()).await
                && let Some(found) = found?
            {
                return Ok(found);
            }
            if let Err(error) = health::powered(self.directory) {
                bail!("{error}{}", tail(node, self.directory));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Sends the machine its configuration, with the names that it gives its links.
    async fn apply(&self, node: &NodeSpec, machine: &Node) -> anyhow::Result<()> {
        let links = links(node, machine).await?;
        let surroundings = Surroundings::Machine(self.emulation, &links);
        let text = configuration::of(self.arguments, self.spec, node, self.secrets, surroundings)?;
        files::write(&self.directory.node_config(&node.name)?, text.as_bytes(), 0o600)?;
        let request = ApplyConfigurationRequest {
            data: text.into_bytes(),
            mode: Mode::Auto.into(),
            ..ApplyConfigurationRequest::default()
        };
        const CALL: &str = "MachineService/ApplyConfiguration";
        machine.machine().apply_configuration(request).await.named(machine, CALL)?;
        Ok(())
    }

    fn insecure(&self, node: &NodeSpec) -> anyhow::Result<Node> {
        self.connect(node, Trust::Insecure { fingerprints: Vec::new() })
    }

    fn secure(&self, node: &NodeSpec) -> anyhow::Result<Node> {
        let context = self
            .access
            .context(&self.spec.name)
            .context("the client configuration is not this cluster's")?;
        let (ca, crt, key) = (context.ca.clone(), context.crt.clone(), context.key.clone());
        self.connect(node, Trust::Mutual { ca, crt, key })
    }

    fn connect(&self, node: &NodeSpec, trust: Trust) -> anyhow::Result<Node> {
        let address: SocketAddr = self
            .spec
            .forwarded_to(node.address, MACHINE_API_PORT)
            .with_context(|| format!("{} has no API port on this host", node.name))?;
        let endpoints = vec![address.to_string().parse::<Endpoint>()?];
        let options = ConnectionOptions { endpoints, trust, cluster: None, basic: None };
        Ok(Connection::open(&options)?.local(&node.name))
    }
}

/// What the machine calls its links, by their hardware addresses.
async fn links(node: &NodeSpec, machine: &Node) -> anyhow::Result<Links> {
    let mut known = Vec::new();
    for resource in get::list(machine, "network", "LinkStatuses.net.talos.dev").await? {
        let spec = get::spec(&resource).context("reading the machine's links")?;
        let address = spec.entry("hardwareAddr").and_then(Value::as_str).unwrap_or_default();
        let name = resource.metadata.map(|metadata| metadata.id).unwrap_or_default();
        known.push((address.to_owned(), name));
    }
    let named = |address: String| {
        let found = known.iter().find(|(known, _)| *known == address);
        found.map(|(_, name)| name.clone()).with_context(|| {
            format!("{} has no link with the hardware address {address}: {known:?}", node.name)
        })
    };
    Ok(Links {
        uplink: named(qemu::uplink_address(node.address))?,
        segment: named(qemu::segment_address(node.address))?,
    })
}
