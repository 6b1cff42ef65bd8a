//! Which machines a command is for, and calling them.

use std::{future::Future, path::PathBuf};

use anyhow::{Context, anyhow, bail};
use client::{AccessFile, CallError, Connection, ConnectionOptions, Endpoint, Node, Search, Trust};
use futures::{StreamExt, stream::FuturesUnordered};

use crate::output::failure::Failures;

macro_rules! remote_args {
    ($(#[$doc:meta])* $name:ident, global: $global:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, clap::Args)]
        pub(crate) struct $name {
            /// Client configuration file [default: the first that exists of $ICHORCONFIG, ~/.ichor/config, $TALOSCONFIG, ~/.talos/config]
            #[arg(long, value_name = "FILE", global = $global, help_heading = "Machines")]
            pub(crate) talosconfig: Option<PathBuf>,
            /// Machines that the command is for [default: the context's]
            #[arg(short, long, value_name = "NODE", value_delimiter = ',', global = $global, help_heading = "Machines")]
            pub(crate) nodes: Vec<String>,
            /// Endpoints to dial [default: the context's]
            #[arg(short, long, value_name = "ENDPOINT", value_delimiter = ',', global = $global, help_heading = "Machines")]
            pub(crate) endpoints: Vec<String>,
            /// Context of the client configuration [default: the current one]
            #[arg(long, value_name = "NAME", global = $global, help_heading = "Machines")]
            pub(crate) context: Option<String>,
            /// Cluster behind a proxy endpoint
            #[arg(short = 'c', long, value_name = "NAME", global = $global, help_heading = "Machines")]
            pub(crate) cluster: Option<String>,
        }
    };
}

remote_args! {
    /// Which machines, and how to reach them.
    RemoteArgs, global: false
}

remote_args! {
    /// The same, for a command that has commands of its own: given before or after these.
    GroupArgs, global: true
}

impl From<GroupArgs> for RemoteArgs {
    fn from(group: GroupArgs) -> Self {
        let GroupArgs { talosconfig, nodes, endpoints, context, cluster } = group;
        Self { talosconfig, nodes, endpoints, context, cluster }
    }
}

/// Talking to a machine that has no configuration yet.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct InsecureArgs {
    /// Talk to a machine in maintenance mode: no client certificate, no check of the server's
    #[arg(short, long)]
    pub(crate) insecure: bool,
    /// Accept only servers whose certificate has this fingerprint (with --insecure)
    #[arg(long, value_name = "FINGERPRINT", value_delimiter = ',', requires = "insecure")]
    pub(crate) cert_fingerprint: Vec<String>,
}

impl RemoteArgs {
    /// What was given after the command, completed by what was given before it.
    pub(crate) fn over(&self, before: &Self) -> Self {
        let list = |own: &[String], other: &[String]| {
            if own.is_empty() { other.to_vec() } else { own.to_vec() }
        };
        Self {
            talosconfig: self.talosconfig.clone().or_else(|| before.talosconfig.clone()),
            nodes: list(&self.nodes, &before.nodes),
            endpoints: list(&self.endpoints, &before.endpoints),
            context: self.context.clone().or_else(|| before.context.clone()),
            cluster: self.cluster.clone().or_else(|| before.cluster.clone()),
        }
    }

    /// Reads the client configuration file.
    pub(crate) fn access_file(&self) -> anyhow::Result<AccessFile> {
        let path = Search::from_environment(self.talosconfig.clone()).choose()?;
        Ok(AccessFile::load(path)?)
    }

    /// Name of the chosen context and the file it is in.
    pub(crate) fn context_of<'a>(
        &'a self,
        file: &'a AccessFile,
    ) -> anyhow::Result<&'a pki::Context> {
        let name = self.context.as_deref().unwrap_or(&file.access.current);
        let path = file.path.display();
        if name.is_empty() {
            bail!(
                "the client configuration {path} has no current context; choose one with `ichorctl config context NAME`, or add one with `ichorctl config merge FILE`"
            );
        }
        file.access.context(name).ok_or_else(|| {
            let known: Vec<&str> =
                file.access.contexts.iter().map(|(name, _)| name.as_str()).collect();
            anyhow!(
                "the client configuration {path} has no context {name:?}; it has: {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )
        })
    }

    /// Prepares the connection and returns the machines.
    pub(crate) fn open(&self, insecure: Option<&InsecureArgs>) -> anyhow::Result<Vec<Node>> {
        if let Some(insecure) = insecure.filter(|insecure| insecure.insecure) {
            return self.open_insecure(insecure);
        }
        let file = self.access_file()?;
        let context = self.context_of(&file)?;
        let (connection, _) = self.connection(context)?;
        let nodes = if self.nodes.is_empty() { &context.nodes } else { &self.nodes };
        if nodes.is_empty() {
            bail!(
                "nodes are not set for the command: name them with --nodes, or once and for all with `ichorctl config node NODE…`"
            );
        }
        Ok(nodes.iter().map(|node| connection.node(node)).collect())
    }

    /// The connection of a context, and the endpoints it uses.
    pub(crate) fn connection(
        &self,
        context: &pki::Context,
    ) -> anyhow::Result<(Connection, Vec<String>)> {
        let endpoints =
            if self.endpoints.is_empty() { &context.endpoints } else { &self.endpoints };
        if endpoints.is_empty() {
            bail!(
                "endpoints are not set: name them with --endpoints, or once and for all with `ichorctl config endpoint ENDPOINT…`"
            );
        }
        if !context.siderov1_identity.is_empty() {
            bail!(
                "the context signs its requests for the identity {:?} (auth.siderov1), which ichorctl cannot do; use a context with a client certificate",
                context.siderov1_identity
            );
        }
        if !matches!(context.proxy_url.as_str(), "" | "direct") {
            bail!(
                "the context dials through the proxy {:?}, which ichorctl cannot do; clear it with `ichorctl config proxy-url`",
                context.proxy_url
            );
        }
        let trust = if context.crt.is_empty() && context.basic.is_some() {
            Trust::ServerOnly { ca: context.ca.clone() }
        } else {
            Trust::Mutual {
                ca: context.ca.clone(),
                crt: context.crt.clone(),
                key: context.key.clone(),
            }
        };
        let cluster = self
            .cluster
            .clone()
            .or_else(|| (!context.cluster.is_empty()).then(|| context.cluster.clone()));
        let connection = Connection::open(&ConnectionOptions {
            endpoints: shuffled(parsed(endpoints)?),
            trust,
            cluster,
            basic: context.basic.clone(),
        })
        .context("using the client configuration")?;
        Ok((connection, endpoints.clone()))
    }

    fn open_insecure(&self, insecure: &InsecureArgs) -> anyhow::Result<Vec<Node>> {
        if self.nodes.is_empty() {
            bail!(
                "nodes are not set for the command: with --insecure, name the machines with --nodes"
            );
        }
        self.nodes
            .iter()
            .map(|name| {
                let options = ConnectionOptions {
                    endpoints: parsed(std::slice::from_ref(name))?,
                    trust: Trust::Insecure { fingerprints: insecure.cert_fingerprint.clone() },
                    cluster: None,
                    basic: None,
                };
                Ok(Connection::open(&options)?.local(name))
            })
            .collect()
    }

    /// The machine named, or the first of the context's: any control plane node can speak for its cluster, and the nodes of a new
    /// context begin with one.
    pub(crate) fn open_first(&self) -> anyhow::Result<Node> {
        if !self.nodes.is_empty() {
            return self.open_one(None);
        }
        self.open(None)?.into_iter().next().context("the context has no nodes")
    }

    /// Like [`Self::open`], for commands that make sense on one machine only.
    pub(crate) fn open_one(&self, insecure: Option<&InsecureArgs>) -> anyhow::Result<Node> {
        let mut nodes = self.open(insecure)?;
        match (nodes.pop(), nodes.len()) {
            (Some(node), 0) => Ok(node),
            (_, others) => {
                bail!(
                    "the command is for one node, and {} are named; choose one with --nodes",
                    others + 1
                )
            }
        }
    }
}

fn parsed(endpoints: &[String]) -> anyhow::Result<Vec<Endpoint>> {
    endpoints.iter().map(|text| text.parse::<Endpoint>().map_err(Into::into)).collect()
}

/// Spreads clients over the endpoints; the time of day is random enough for that.
fn shuffled(mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.subsec_nanos());
    let mut state = u64::from(nanoseconds) | 1;
    for index in (1..endpoints.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap_or(0) % (index + 1);
        endpoints.swap(index, other);
    }
    endpoints
}

/// Runs a command's asynchronous part. Only commands that call machines pay for it.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")?
        .block_on(work)
}

/// Calls every machine at once. Gives the answers in the order of the machines, and what failed.
pub(crate) async fn each<'a, T, F>(
    nodes: &'a [Node],
    call: impl Fn(&'a Node) -> F,
) -> (Vec<(&'a Node, T)>, Failures)
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut calls: FuturesUnordered<_> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let call = call(node);
            async move { (index, node, call.await) }
        })
        .collect();
    let mut answers = Vec::new();
    let mut failures = Failures::default();
    while let Some((index, node, result)) = calls.next().await {
        match result {
            Ok(answer) => answers.push((index, node, answer)),
            Err(error) => failures.add(error),
        }
    }
    answers.sort_by_key(|(index, ..)| *index);
    (answers.into_iter().map(|(_, node, answer)| (node, answer)).collect(), failures)
}

/// Follows every machine at once until all have ended; the first that cannot print what it has ends all.
pub(crate) async fn follow<'a, F>(
    nodes: &'a [Node],
    follow: impl Fn(&'a Node) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<anyhow::Result<()>, CallError>>,
{
    let mut streams: FuturesUnordered<_> = nodes.iter().map(follow).collect();
    let mut failures = Failures::default();
    while let Some(result) = streams.next().await {
        match result {
            Ok(printed) => printed?,
            Err(error) => failures.add(error),
        }
    }
    failures.into_result()
}

/// The time of day, in seconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
