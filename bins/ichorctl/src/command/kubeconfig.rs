//! `kubeconfig`: fetch the cluster's, and merge it into the user's.

use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use client::{CallError, Named, Node};
use yaml::Value;

use crate::{
    files,
    output::value,
    remote::{self, RemoteArgs},
};

/// Arguments of `kubeconfig`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File or directory to write to; - for standard output (with --merge=false) [default: $KUBECONFIG or ~/.kube/config]
    path: Option<PathBuf>,
    /// Merge into the file instead of replacing it
    #[arg(short, long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    merge: bool,
    /// Replace what has the same name
    #[arg(short, long)]
    force: bool,
    /// Name of the context instead of admin@CLUSTER
    #[arg(long, value_name = "NAME")]
    force_context_name: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Fetches the administrator's kubeconfig from a control plane node.
pub(crate) async fn fetch(node: &Node) -> anyhow::Result<String> {
    const CALL: &str = "MachineService/Kubeconfig";
    let mut stream = node.machine().kubeconfig(()).await.named(node, CALL)?;
    let mut archive = Vec::new();
    while let Some(chunk) =
        stream.message().await.map_err(|status| CallError::new(node, CALL, status))?
    {
        archive.extend_from_slice(&chunk.bytes);
    }
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice()));
    for entry in archive.entries().context("unpacking the kubeconfig")? {
        let mut entry = entry.context("unpacking the kubeconfig")?;
        if entry.path().is_ok_and(|path| path == Path::new("kubeconfig")) {
            let mut text = String::new();
            entry.read_to_string(&mut text).context("unpacking the kubeconfig")?;
            return Ok(text);
        }
    }
    bail!("{} answered {CALL} with an archive that has no kubeconfig in it", node.name())
}

/// A client of the cluster's Kubernetes API with the administrator's kubeconfig, which any node of the control plane has;
/// with another address of the API server where one is named.
pub(crate) async fn open(node: &Node, server: Option<&str>) -> anyhow::Result<kubernetes::Client> {
    let text = fetch(node).await?;
    let documents = parse(&text).context("reading the node's kubeconfig")?;
    let mut access = kubernetes::Access::from_kubeconfig(&value::to_json(&documents))?;
    if let Some(server) = server {
        access.server =
            if server.contains("://") { server.to_owned() } else { format!("https://{server}") };
    }
    Ok(kubernetes::Client::new(&access)?)
}

/// Fetches and stores the kubeconfig.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let node = arguments.remote.over(before).open_one(None)?;
    let text = remote::block_on(fetch(&node))?;
    let mut incoming = parse(&text).context("reading the node's kubeconfig")?;
    if let Some(name) = &arguments.force_context_name {
        rename_context(&mut incoming, name);
    }
    let to_stdout = arguments.path.as_deref() == Some(Path::new("-"));
    if to_stdout {
        if arguments.merge {
            bail!("- is for printing, not for merging: add --merge=false");
        }
        return files::print(&yaml::to_string(&incoming));
    }
    let path = target(arguments.path)?;
    if arguments.merge {
        return merge_file(&path, &incoming, arguments.force);
    }
    files::refuse_existing(&[&path], arguments.force)?;
    store(&path, &incoming)
}

pub(crate) fn parse(text: &str) -> anyhow::Result<Value> {
    Ok(yaml::parse(text.as_bytes())?
        .into_iter()
        .next()
        .map(|document| document.root.to_value())
        .unwrap_or_default())
}

fn target(path: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let path = match path {
        Some(path) => path,
        None => default_path()?,
    };
    Ok(if path.is_dir() { path.join("kubeconfig") } else { path })
}

/// The user's own kubeconfig: the first of `KUBECONFIG`, else the one in the home directory.
pub(crate) fn default_path() -> anyhow::Result<PathBuf> {
    let variable = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    if let Some(first) = variable.as_ref().and_then(|list| std::env::split_paths(list).next()) {
        return Ok(first);
    }
    let home = std::env::var_os("HOME").ok_or_else(|| {
        anyhow!("neither KUBECONFIG nor HOME says where the kubeconfig is; name a file")
    })?;
    Ok(Path::new(&home).join(".kube/config"))
}

fn store(path: &Path, content: &Value) -> anyhow::Result<()> {
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("making {}", directory.display()))?;
    }
    files::write(path, yaml::to_string(content).as_bytes(), 0o600)
}

/// Merges a kubeconfig into a file.
pub(crate) fn merge_file(path: &Path, incoming: &Value, force: bool) -> anyhow::Result<()> {
    let mut own = match std::fs::read_to_string(path) {
        Ok(text) => parse(&text).with_context(|| format!("reading {}", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    if own == Value::Null {
        return store(path, incoming);
    }
    let decide = |list: &str, name: &str| {
        if force {
            return Ok(true);
        }
        ask_overwrite(list, name)
    };
    for (from, to) in merge(&mut own, incoming, decide)? {
        eprintln!("renamed {from:?} to {to:?}");
    }
    store(path, &own)
}

/// On a terminal the user decides; otherwise what is there stays.
fn ask_overwrite(list: &str, name: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("{list} has {name:?} already: [r]ename the new one or [o]verwrite? [r] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim(), "o" | "overwrite"))
}

fn name_of(item: &Value) -> &str {
    item.entry("name").and_then(Value::as_str).unwrap_or_default()
}

fn set(value: &mut Value, key: &str, new: Value) {
    if let Value::Map(entries) = value {
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = new,
            None => entries.push((key.to_owned(), new)),
        }
    }
}

fn entry_mut<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    match value {
        Value::Map(entries) => {
            entries.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
        }
        _ => None,
    }
}

fn rename_context(config: &mut Value, name: &str) {
    if let Some(Value::Seq(contexts)) = entry_mut(config, "contexts") {
        for context in contexts {
            set(context, "name", name.into());
        }
    }
    set(config, "current-context", name.into());
}

/// Puts the clusters, users and contexts of one kubeconfig into another and makes its current context current. `overwrite` decides
/// about a name that is taken by something else; what is not overwritten is renamed. Returns the renames.
pub(crate) fn merge(
    own: &mut Value,
    incoming: &Value,
    mut overwrite: impl FnMut(&str, &str) -> anyhow::Result<bool>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut renames = Vec::new();
    let mut renamed: Vec<(&str, String, String)> = Vec::new();
    for list in ["clusters", "users", "contexts"] {
        let mut merged = own.entry(list).and_then(Value::as_seq).unwrap_or_default().to_vec();
        for item in incoming.entry(list).and_then(Value::as_seq).unwrap_or_default() {
            let mut item = item.clone();
            if list == "contexts" {
                for (part, field) in [("clusters", "cluster"), ("users", "user")] {
                    let Some(context) = entry_mut(&mut item, "context") else { continue };
                    let old =
                        context.entry(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                    let new = renamed.iter().find(|(list, from, _)| *list == part && *from == old);
                    if let Some((_, _, new)) = new {
                        set(context, field, new.as_str().into());
                    }
                }
            }
            let name = name_of(&item).to_owned();
            let taken = merged.iter().position(|known| name_of(known) == name);
            match taken {
                None => merged.push(item),
                Some(at) if merged[at] == item => {}
                Some(at) if overwrite(list, &name)? => merged[at] = item,
                Some(_) => {
                    let free = (1_u32..)
                        .map(|number| format!("{name}-{number}"))
                        .find(|name| merged.iter().all(|known| name_of(known) != name))
                        .unwrap_or_default();
                    set(&mut item, "name", free.as_str().into());
                    merged.push(item);
                    renames.push((name.clone(), free.clone()));
                    renamed.push((list, name, free));
                }
            }
        }
        set(own, list, Value::Seq(merged));
    }
    if let Some(current) = incoming.entry("current-context").and_then(Value::as_str) {
        let current = renamed
            .iter()
            .find(|(list, from, _)| *list == "contexts" && from == current)
            .map_or(current, |(_, _, to)| to.as_str());
        set(own, "current-context", current.into());
    }
    Ok(renames)
}

/// The kubeconfig with another address of the API server.
pub(crate) fn with_server(text: &str, server: &str) -> anyhow::Result<Value> {
    let mut config = parse(text)?;
    if let Some(Value::Seq(clusters)) = entry_mut(&mut config, "clusters") {
        for cluster in clusters {
            if let Some(cluster) = entry_mut(cluster, "cluster") {
                set(cluster, "server", server.into());
            }
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cluster: &str, server: &str) -> Value {
        parse(&format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: {cluster}, cluster: {{server: {server}}}}}]\nusers: [{{name: admin@{cluster}, user: {{token: {server}}}}}]\ncontexts: [{{name: admin@{cluster}, context: {{cluster: {cluster}, user: admin@{cluster}}}}}]\ncurrent-context: admin@{cluster}\n"
        ))
        .unwrap()
    }

    fn names(config: &Value, list: &str) -> Vec<String> {
        config
            .entry(list)
            .unwrap()
            .as_seq()
            .unwrap()
            .iter()
            .map(|item| name_of(item).to_owned())
            .collect()
    }

    #[test]
    fn a_new_cluster_is_added_and_becomes_current() {
        let mut own = config("a", "s1");
        assert!(merge(&mut own, &config("b", "s2"), |_, _| Ok(false)).unwrap().is_empty());
        assert_eq!(names(&own, "clusters"), ["a", "b"]);
        assert_eq!(own.entry("current-context").unwrap().as_str(), Some("admin@b"));
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let mut own = config("a", "s1");
        merge(&mut own, &config("a", "s1"), |_, _| panic!("nothing to decide")).unwrap();
        assert_eq!(own, config("a", "s1"));
    }

    #[test]
    fn a_taken_name_is_renamed_everywhere_or_overwritten() {
        let mut own = config("a", "s1");
        merge(&mut own, &config("a", "s2"), |_, _| Ok(false)).unwrap();
        assert_eq!(names(&own, "clusters"), ["a", "a-1"]);
        assert_eq!(names(&own, "contexts"), ["admin@a", "admin@a-1"]);
        let context = own.entry("contexts").unwrap().as_seq().unwrap()[1].entry("context").unwrap();
        assert_eq!(context.entry("cluster").unwrap().as_str(), Some("a-1"));
        assert_eq!(context.entry("user").unwrap().as_str(), Some("admin@a-1"));
        assert_eq!(own.entry("current-context").unwrap().as_str(), Some("admin@a-1"));

        let mut own = config("a", "s1");
        merge(&mut own, &config("a", "s2"), |_, _| Ok(true)).unwrap();
        assert_eq!(own, config("a", "s2"));
    }
}
