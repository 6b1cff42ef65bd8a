//! `service`: list services, look at one, start, stop and restart one.

use api::machine::{
    ServiceHealth, ServiceInfo, ServiceRestartRequest, ServiceStartRequest, ServiceStopRequest,
};
use client::{CallError, Named, Node};

use crate::{
    files,
    output::{age, table::Table},
    remote::{self, InsecureArgs, RemoteArgs},
};

/// What to do with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Action {
    Status,
    Start,
    Stop,
    Restart,
}

/// Arguments of `service`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Service to look at; all of them without
    id: Option<String>,
    /// What to do with it
    #[arg(value_enum, default_value = "status")]
    action: Action,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

/// Runs the command.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    remote::block_on(async {
        match (&arguments.id, arguments.action) {
            (None, _) => list(&nodes).await,
            (Some(id), Action::Status) => status(&nodes, id).await,
            (Some(id), action) => act(&nodes, id, action).await,
        }
    })
}

async fn services(node: &Node) -> Result<Vec<ServiceInfo>, CallError> {
    let answer = node.machine().service_list(()).await.named(node, "MachineService/ServiceList")?;
    Ok(answer.messages.into_iter().flat_map(|message| message.services).collect())
}

fn health(health: Option<&ServiceHealth>) -> &'static str {
    match health {
        Some(health) if health.unknown => "?",
        Some(health) if health.healthy => "OK",
        Some(_) => "Fail",
        None => "?",
    }
}

async fn list(nodes: &[Node]) -> anyhow::Result<()> {
    let (answers, failures) = remote::each(nodes, services).await;
    let now = remote::now();
    let mut table = Table::new(["NODE", "SERVICE", "STATE", "HEALTH", "LAST CHANGE", "LAST EVENT"]);
    for (node, services) in answers {
        for service in services {
            let last = service.events.as_ref().and_then(|events| events.events.last());
            table.row(vec![
                node.name().to_owned(),
                service.id,
                service.state,
                health(service.health.as_ref()).to_owned(),
                age::ago(last.and_then(|event| event.ts.as_ref()), now),
                last.map(|event| event.msg.clone()).unwrap_or_default(),
            ]);
        }
    }
    table.print(failures)
}

async fn status(nodes: &[Node], id: &str) -> anyhow::Result<()> {
    let (answers, mut failures) = remote::each(nodes, services).await;
    let now = remote::now();
    let mut text = String::new();
    for (node, services) in answers {
        let Some(service) = services.into_iter().find(|service| service.id == id) else {
            let status = tonic::Status::not_found(format!(
                "there is no service {id:?}; `ichorctl services` lists them"
            ));
            failures.add(CallError::new(node, "MachineService/ServiceList", status));
            continue;
        };
        text.push_str(&describe(node.name(), &service, now));
    }
    files::print(&text)?;
    failures.into_result()
}

fn describe(node: &str, service: &ServiceInfo, now: i64) -> String {
    let mut rows = vec![
        ("NODE".to_owned(), node.to_owned()),
        ("ID".to_owned(), service.id.clone()),
        ("STATE".to_owned(), service.state.clone()),
        ("HEALTH".to_owned(), health(service.health.as_ref()).to_owned()),
    ];
    if let Some(message) =
        service.health.as_ref().map(|health| &health.last_message).filter(|text| !text.is_empty())
    {
        rows.push(("LAST HEALTH MESSAGE".to_owned(), message.clone()));
    }
    let mut label = "EVENTS";
    for event in service.events.iter().flat_map(|events| &events.events).rev() {
        let age = age::ago(event.ts.as_ref(), now);
        rows.push((label.to_owned(), format!("[{}]: {} ({age})", event.state, event.msg)));
        label = "";
    }
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 3;
    rows.iter().map(|(label, value)| format!("{label:width$}{value}\n")).collect()
}

async fn act(nodes: &[Node], id: &str, action: Action) -> anyhow::Result<()> {
    let (answers, failures) = remote::each(nodes, |node| async move {
        let mut machine = node.machine();
        let id = id.to_owned();
        Ok(match action {
            Action::Start => machine
                .service_start(ServiceStartRequest { id })
                .await
                .named(node, "MachineService/ServiceStart")?
                .messages
                .into_iter()
                .map(|message| message.resp)
                .collect::<Vec<_>>(),
            Action::Stop => machine
                .service_stop(ServiceStopRequest { id })
                .await
                .named(node, "MachineService/ServiceStop")?
                .messages
                .into_iter()
                .map(|message| message.resp)
                .collect(),
            Action::Restart | Action::Status => machine
                .service_restart(ServiceRestartRequest { id })
                .await
                .named(node, "MachineService/ServiceRestart")?
                .messages
                .into_iter()
                .map(|message| message.resp)
                .collect(),
        })
    })
    .await;
    let mut table = Table::new(["NODE", "RESPONSE"]);
    for (node, responses) in answers {
        for response in responses {
            table.row(vec![node.name().to_owned(), response]);
        }
    }
    table.print(failures)
}
