//! `cluster power`, `cluster reboot` and `cluster logs`: the switch and the screen of a node.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use anyhow::{Context as _, bail};
use provision::state::ClusterDirectory;
use provision::supervisor::{self, Command};
use sys::inotify::{Inotify, Watched};

use crate::files;

/// Arguments of `cluster power`.
#[derive(Debug, clap::Args)]
pub(super) struct PowerArgs {
    /// Give power, cut it, cut it and give it back, or press a virtual machine's reset button
    #[arg(value_enum)]
    action: Action,
    /// The node's name
    node: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Action {
    On,
    Off,
    Cycle,
    Reset,
}

/// Arguments of `cluster reboot`.
#[derive(Debug, clap::Args)]
pub(super) struct RebootArgs {
    /// The node's name
    #[arg(short, long, id = "machine")]
    node: String,
}

/// Arguments of `cluster logs`.
#[derive(Debug, clap::Args)]
pub(super) struct LogsArgs {
    /// The node's name; the first control plane's without
    machine: Option<String>,
    /// Go on printing
    #[arg(short, long)]
    follow: bool,
}

pub(super) fn power(arguments: &PowerArgs, directory: &ClusterDirectory) -> anyhow::Result<()> {
    let node = || arguments.node.clone();
    let commands = match arguments.action {
        Action::On => vec![Command::PowerOn(node())],
        Action::Off => vec![Command::PowerCut(node())],
        Action::Reset => vec![Command::Reset(node())],
        Action::Cycle => vec![Command::PowerCut(node()), Command::PowerOn(node())],
    };
    let mut states = Vec::new();
    for command in &commands {
        states = supervisor::ask(directory.path(), command)?;
    }
    match states.into_iter().find(|state| state.name == arguments.node) {
        Some(state) => files::print(&format!("{} is {}\n", state.name, state.power)),
        None => bail!("there is no node {:?}", arguments.node),
    }
}

pub(super) fn reboot(arguments: &RebootArgs, directory: &ClusterDirectory) -> anyhow::Result<()> {
    let node = arguments.node.clone();
    power(&PowerArgs { action: Action::Cycle, node }, directory)
}

pub(super) fn logs(arguments: &LogsArgs, directory: &ClusterDirectory) -> anyhow::Result<()> {
    let spec = directory.spec()?;
    let node = match &arguments.machine {
        Some(name) => spec.node(name),
        None => spec.nodes.first(),
    };
    let Some(node) = node else {
        let names: Vec<_> = spec.nodes.iter().map(|node| node.name.as_str()).collect();
        bail!("there is no such node; the nodes are {}", names.join(", "));
    };
    let path = directory.console(&node.name);
    let reading = || format!("reading {}", path.display());
    let mut file = File::open(&path).with_context(reading)?;
    let events = Inotify::new().context("watching the console")?;
    events.add(&path, Watched::MODIFY).with_context(reading)?;
    loop {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(reading)?;
        files::print_bytes(&bytes)?;
        if !arguments.follow {
            return Ok(());
        }
        sys::signal::wait_readable(&events, None).with_context(reading)?;
        events.events().with_context(reading)?;
        // A console that was emptied is read from its new beginning.
        let length = file.metadata().with_context(reading)?.len();
        if file.stream_position().with_context(reading)? > length {
            file.seek(SeekFrom::Start(0)).with_context(reading)?;
        }
    }
}
