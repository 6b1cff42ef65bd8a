//! `config`: the client configuration file.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use api::machine::GenerateClientConfigurationRequest;
use client::{AccessFile, Named};
use pki::{Access, Certificate, Context};
use serde_json::json;

use crate::{
    files,
    output::{age, failure, table::Table, value},
    remote::{self, GroupArgs, RemoteArgs},
};

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: GroupArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add a context
    Add(AddArgs),
    /// Make a context the current one
    #[command(visible_alias = "use-context")]
    Context {
        /// Name of the context
        name: String,
    },
    /// List the contexts
    #[command(visible_alias = "get-contexts")]
    Contexts,
    /// Compare two machine configuration files
    Diff(DiffArgs),
    /// Set the endpoints of the current context; none clears them
    #[command(visible_alias = "endpoints")]
    Endpoint {
        /// Endpoints
        endpoints: Vec<String>,
    },
    /// Show the current context
    Info {
        /// Form of the output
        #[arg(short, long, value_enum, default_value = "text")]
        output: InfoOutput,
    },
    /// Merge the contexts of another file into this one
    Merge {
        /// The other file
        file: PathBuf,
    },
    /// Ask a control plane node for a new client configuration
    New(NewArgs),
    /// Set the default nodes of the current context; none clears them
    #[command(visible_alias = "nodes")]
    Node {
        /// Nodes
        nodes: Vec<String>,
    },
    /// Set the proxy of the current context; none clears it
    ProxyUrl {
        /// URL of the proxy, or direct
        url: Option<String>,
    },
    /// Remove contexts
    Remove(RemoveArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// Name of the context
    name: String,
    /// File with the certificate authority of the servers
    #[arg(long)]
    ca: Option<PathBuf>,
    /// File with the client certificate
    #[arg(long)]
    crt: Option<PathBuf>,
    /// File with the key of the client certificate
    #[arg(long)]
    key: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    /// Configuration; - for standard input
    old: String,
    /// The other configuration
    new: String,
    /// Print a patch that makes the second of the first
    #[arg(long)]
    patch: bool,
}

#[derive(Debug, clap::Args)]
struct NewArgs {
    /// File to write
    #[arg(default_value = "talosconfig")]
    path: PathBuf,
    /// Roles of the new client
    #[arg(long, value_delimiter = ',', default_value = "os:admin")]
    roles: Vec<String>,
    /// How long its certificate is valid
    #[arg(long, value_name = "SPAN", default_value = "8760h", value_parser = age::parse)]
    crt_ttl: std::time::Duration,
}

#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// Contexts to remove: a name in which * and ? stand for any characters
    pattern: String,
    /// Do not ask
    #[arg(short = 'y', long)]
    noconfirm: bool,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum InfoOutput {
    Text,
    Json,
    Yaml,
}

/// Runs the command.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    if let Command::Diff(arguments) = &arguments.command {
        return diff(arguments);
    }
    let remote = RemoteArgs::from(arguments.remote).over(before);
    let mut file = remote.access_file()?;
    match arguments.command {
        Command::Add(arguments) => add(&mut file, arguments),
        Command::Context { name } => {
            if file.access.context(&name).is_none() {
                bail!("{} has no context {name:?}", file.path.display());
            }
            file.access.current = name;
            Ok(file.save()?)
        }
        Command::Contexts => contexts(&file),
        Command::Diff(arguments) => diff(&arguments),
        Command::Endpoint { endpoints } => {
            for endpoint in &endpoints {
                endpoint.parse::<client::Endpoint>()?;
            }
            change(&remote, file, |context| context.endpoints = endpoints)
        }
        Command::Node { nodes } => change(&remote, file, |context| context.nodes = nodes),
        Command::ProxyUrl { url } => {
            change(&remote, file, |context| context.proxy_url = url.unwrap_or_default())
        }
        Command::Info { output } => info(&remote, &file, output),
        Command::Merge { file: other } => merge(&mut file, &other),
        Command::New(arguments) => new(&remote, &file, &arguments),
        Command::Remove(arguments) => remove(&mut file, &arguments),
    }
}

fn change(
    remote: &RemoteArgs,
    mut file: AccessFile,
    change: impl FnOnce(&mut Context),
) -> anyhow::Result<()> {
    remote.context_of(&file)?;
    let name = remote.context.clone().unwrap_or_else(|| file.access.current.clone());
    if let Some(context) = file.access.context_mut(&name) {
        change(context);
    }
    Ok(file.save()?)
}

fn add(file: &mut AccessFile, arguments: AddArgs) -> anyhow::Result<()> {
    let AddArgs { name, ca, crt, key } = arguments;
    if file.access.context(&name).is_some() {
        bail!(
            "{} has a context {name:?} already; remove it first with `ichorctl config remove {name}`",
            file.path.display()
        );
    }
    let read =
        |path: Option<PathBuf>| path.map_or(Ok(String::new()), |path| files::read_text(&path));
    let context = Context { ca: read(ca)?, crt: read(crt)?, key: read(key)?, ..Context::default() };
    if !context.ca.is_empty() {
        Certificate::all_from_pem(&context.ca).context("using --ca")?;
    }
    if !context.crt.is_empty() {
        pki::Identity::from_pem(&context.crt, &context.key).context("using --crt and --key")?;
    }
    if file.access.current.is_empty() {
        file.access.current.clone_from(&name);
    }
    file.access.contexts.push((name, context));
    Ok(file.save()?)
}

/// Compares two machine configurations by what they say, comments left out.
fn diff(arguments: &DiffArgs) -> anyhow::Result<()> {
    let load = |file: &str| super::validate::load(file, &files::read(file)?);
    let (old, new) = (load(&arguments.old)?, load(&arguments.new)?);
    if !arguments.patch {
        return files::print(&::config::diff::text(&old, &new));
    }
    // One after the other they are the documents of a single patch.
    files::print(&::config::diff::patches(&old, &new).join("---\n"))
}

fn first_three(list: &[String]) -> String {
    let mut shown: Vec<&str> = list.iter().take(3).map(String::as_str).collect();
    if list.len() > 3 {
        shown.push("...");
    }
    shown.join(",")
}

fn contexts(file: &AccessFile) -> anyhow::Result<()> {
    let mut table = Table::new(["CURRENT", "NAME", "ENDPOINTS", "NODES"]);
    for (name, context) in &file.access.contexts {
        table.row(vec![
            if *name == file.access.current { "*" } else { "" }.to_owned(),
            name.clone(),
            context.endpoints.join(","),
            first_three(&context.nodes),
        ]);
    }
    files::print(&table.to_string())
}

fn merge(file: &mut AccessFile, other: &std::path::Path) -> anyhow::Result<()> {
    let text = std::fs::read(other).with_context(|| format!("reading {}", other.display()))?;
    let other = Access::from_yaml(&text).with_context(|| format!("reading {}", other.display()))?;
    for (from, to) in file.access.merge(other) {
        eprintln!("renamed the context {from:?} to {to:?}");
    }
    Ok(file.save()?)
}

fn info(remote: &RemoteArgs, file: &AccessFile, output: InfoOutput) -> anyhow::Result<()> {
    let context = remote.context_of(file)?;
    let name = remote.context.as_deref().unwrap_or(&file.access.current);
    let certificate = if context.crt.is_empty() {
        None
    } else {
        Some(Certificate::from_pem(&context.crt).context("using the client certificate")?)
    };
    let now = remote::now();
    let roles = certificate.as_ref().map(|crt| crt.organizations.clone()).unwrap_or_default();
    let left = certificate.as_ref().map(|crt| crt.validity.not_after - now);
    let until = certificate.as_ref().map_or(String::new(), |crt| {
        let seconds = crt.validity.not_after;
        age::rfc3339(Some(&prost_types::Timestamp { seconds, nanos: 0 }))
    });
    let span = |seconds: i64| age::span(seconds.unsigned_abs());
    let text = match output {
        InfoOutput::Text => {
            let or = |list: &[String]| {
                if list.is_empty() { "not defined".to_owned() } else { list.join(", ") }
            };
            let expires = match left {
                None => "no certificate".to_owned(),
                Some(left) if left < 0 => format!("{} ago ({until})", span(left)),
                Some(left) => format!("{} from now ({until})", span(left)),
            };
            format!(
                "Current context:     {name}\nNodes:               {}\nEndpoints:           {}\nRoles:               {}\nCertificate expires: {expires}\n",
                or(&context.nodes),
                or(&context.endpoints),
                or(&roles),
            )
        }
        InfoOutput::Json | InfoOutput::Yaml => {
            let info = json!({
                "context": name,
                "nodes": context.nodes,
                "endpoints": context.endpoints,
                "roles": roles,
                "certTTL": left.map(span).unwrap_or_default(),
                "certNotAfter": until,
            });
            if matches!(output, InfoOutput::Json) {
                value::pretty(&info)?
            } else {
                yaml::to_string(&value::from_json(&info))
            }
        }
    };
    files::print(&text)
}

fn new(remote: &RemoteArgs, file: &AccessFile, arguments: &NewArgs) -> anyhow::Result<()> {
    const CALL: &str = "MachineService/GenerateClientConfiguration";
    files::refuse_existing(&[&arguments.path], false)?;
    let node = remote.open_one(None)?;
    let (_, endpoints) = remote.connection(remote.context_of(file)?)?;
    let request = GenerateClientConfigurationRequest {
        roles: arguments.roles.clone(),
        crt_ttl: Some(age::to_wire(arguments.crt_ttl)),
    };
    remote::block_on(async {
        let answer =
            node.machine().generate_client_configuration(request).await.named(&node, CALL)?;
        let text = answer.messages.into_iter().next().map(|message| message.talosconfig);
        let mut access = Access::from_yaml(&text.unwrap_or_default())
            .with_context(|| format!("reading what {} answered {CALL}", node.name()))?;
        for (_, context) in &mut access.contexts {
            context.endpoints.clone_from(&endpoints);
        }
        Ok(AccessFile { path: arguments.path.clone(), access }.save()?)
    })
}

fn remove(file: &mut AccessFile, arguments: &RemoveArgs) -> anyhow::Result<()> {
    let pattern = &arguments.pattern;
    let (mut doomed, mut skipped) = (Vec::new(), false);
    for (name, _) in &file.access.contexts {
        if matches(pattern, name) {
            if *name == file.access.current {
                skipped = true;
            } else {
                doomed.push(name.clone());
            }
        }
    }
    if skipped {
        eprintln!("the current context {:?} is kept", file.access.current);
    }
    if doomed.is_empty() {
        if skipped {
            return Ok(());
        }
        bail!("{} has no context that {pattern:?} names", file.path.display());
    }
    let list = doomed.join(", ");
    if arguments.dry_run {
        return files::print(&format!("would remove: {list}\n"));
    }
    if !arguments.noconfirm {
        eprint!("remove {list}? [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).context("reading the answer")?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            eprintln!("nothing was removed");
            return Err(failure::Told.into());
        }
    }
    file.access.contexts.retain(|(name, _)| !doomed.contains(name));
    file.save()?;
    files::print(&format!("removed: {list}\n"))
}

/// Whether a pattern with `*` and `?` covers the whole name.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Row by row: reached[j] says whether the pattern so far covers the first j characters.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for wanted in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match wanted {
                '*' => reached[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && reached[at - 1],
                other => at > 0 && reached[at - 1] && name[at - 1] == other,
            };
        }
        reached = next;
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("dev-*", "dev-1", true),
            ("*-1", "dev-1", true),
            ("d?v*", "dev", true),
            ("d?v", "dv", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
