//! `time`: the machine's clock beside a time server's.

use api::time::TimeRequest;
use client::Named;

use crate::{
    output::{age, table::Table},
    remote::{self, RemoteArgs},
};

/// Arguments of `time`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask this time server instead of the configured one
    #[arg(long, value_name = "SERVER")]
    check: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Shows the clocks.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| {
            let server = arguments.check.clone();
            async move {
                match server {
                    Some(server) => node
                        .time()
                        .time_check(TimeRequest { server })
                        .await
                        .named(node, "TimeService/TimeCheck"),
                    None => node.time().time(()).await.named(node, "TimeService/Time"),
                }
            }
        })
        .await;
        let mut table = Table::new(["NODE", "NTP-SERVER", "NODE-TIME", "NTP-SERVER-TIME"]);
        for (node, answer) in answers {
            for message in answer.messages {
                table.row(vec![
                    node.name().to_owned(),
                    message.server,
                    age::rfc3339_exact(message.localtime.as_ref()),
                    age::rfc3339_exact(message.remotetime.as_ref()),
                ]);
            }
        }
        table.print(failures)
    })
}
