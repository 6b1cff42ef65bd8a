//! `version`: of this program and of the machines.

use std::fmt::Write as _;

use api::{
    machine::{Version, VersionInfo, VersionResponse},
    version,
};
use client::{Named, Node};
use serde_json::{Value as Json, json};

use crate::{
    files,
    output::{failure::Failures, value},
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
    /// As JSON, in the form of the API's messages
    #[arg(long, hide = true, conflicts_with = "short")]
    json: bool,
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
    if arguments.json {
        return as_json(&arguments, before, &own);
    }
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
        let (answers, failures) = ask(&nodes).await;
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

/// The versions as one JSON document: this program's below `client`, and one of `messages` for each machine.
fn as_json(arguments: &Args, before: &RemoteArgs, own: &VersionInfo) -> anyhow::Result<()> {
    let client = json!({ "client": info_json(own) });
    if arguments.client {
        return files::print(&value::pretty(&client)?);
    }
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    remote::block_on(async {
        let (answers, failures) = ask(&nodes).await;
        let messages: Vec<_> = answers
            .into_iter()
            .flat_map(|(node, answer)| {
                answer.messages.into_iter().map(|message| message_json(node.name(), &message))
            })
            .collect();
        files::print(&value::pretty(&json!({ "client": info_json(own), "messages": messages }))?)?;
        failures.into_result()
    })
}

fn info_json(info: &VersionInfo) -> Json {
    json!({
        "tag": info.tag,
        "sha": info.sha,
        "built": info.built,
        "goVersion": info.go_version,
        "os": info.os,
        "arch": info.arch,
    })
}

fn message_json(node: &str, message: &Version) -> Json {
    let platform = message.platform.clone().unwrap_or_default();
    json!({
        "metadata": { "hostname": node },
        "version": info_json(&message.version.clone().unwrap_or_default()),
        "platform": { "name": platform.name, "mode": platform.mode },
        "features": { "rbac": message.features.as_ref().is_some_and(|features| features.rbac) },
    })
}

async fn ask(nodes: &[Node]) -> (Vec<(&Node, VersionResponse)>, Failures) {
    remote::each(nodes, |node| async move {
        node.machine().version(()).await.named(node, "MachineService/Version")
    })
    .await
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
