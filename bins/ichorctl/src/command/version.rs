//! `version`: of this program and of the machines.

use std::fmt::Write as _;

use api::{
    machine::{Version, VersionInfo},
    version,
};
use client::Named;

use crate::{
    files,
    remote::{self, InsecureArgs, RemoteArgs},
};

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this program's version
    #[arg(long)]
    client: bool,
    /// One line for each
    #[arg(long)]
    short: bool,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

fn own() -> VersionInfo {
    VersionInfo {
        tag: version::TAG.to_owned(),
        sha: version::SHA.to_owned(),
        built: version::BUILT.to_owned(),
        go_version: version::TOOLCHAIN.to_owned(),
        os: version::OS.to_owned(),
        arch: version::ARCH.to_owned(),
    }
}

fn block(info: &VersionInfo) -> String {
    format!(
        "\tTag:         {}\n\tSHA:         {}\n\tBuilt:       {}\n\tGo version:  {}\n\tOS/Arch:     {}/{}\n",
        info.tag, info.sha, info.built, info.go_version, info.os, info.arch
    )
}

/// Prints the versions.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let own = own();
    let mut text = if arguments.short {
        format!("Client {}\n", own.tag)
    } else {
        format!("Client:\n{}", block(&own))
    };
    files::print(&text)?;
    if arguments.client {
        return Ok(());
    }
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| async move {
            node.machine().version(()).await.named(node, "MachineService/Version")
        })
        .await;
        text.clear();
        if !arguments.short {
            text.push_str("Server:\n");
        }
        for (node, answer) in answers {
            for message in answer.messages {
                server(&mut text, node.name(), &message, arguments.short);
            }
        }
        files::print(&text)?;
        failures.into_result()
    })
}

fn server(text: &mut String, node: &str, message: &Version, short: bool) {
    let info = message.version.clone().unwrap_or_default();
    // Writing to a string does not fail.
    if short {
        writeln!(text, "Server {node} {}", info.tag).ok();
        return;
    }
    writeln!(text, "\tNODE:        {node}").ok();
    text.push_str(&block(&info));
    let rbac = message.features.as_ref().is_some_and(|features| features.rbac);
    writeln!(text, "\tEnabled:     {}", if rbac { "RBAC" } else { "" }).ok();
}
