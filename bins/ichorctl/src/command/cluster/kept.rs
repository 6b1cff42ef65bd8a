//! The files of a cluster that clients use: its talosconfig and kubeconfig, in its own directory, and merged with those of the
//! other clusters in the state directory.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use client::AccessFile;
use pki::{Access, Context};
use provision::state::ClusterDirectory;
use yaml::Value;

use crate::command::kubeconfig;

const TALOSCONFIG: &str = "talosconfig";
const KUBECONFIG: &str = "kubeconfig";

/// The client configuration in the cluster's own directory.
pub(crate) fn own_access(directory: &ClusterDirectory) -> PathBuf {
    directory.file(TALOSCONFIG)
}

/// Stores the client configuration; it becomes the current one of the state directory.
pub(crate) fn store_access(
    directory: &ClusterDirectory,
    state: &Path,
    name: &str,
    context: &Context,
) -> anyhow::Result<()> {
    let own = Access::with(name, context.clone());
    AccessFile { path: own_access(directory), access: own }.save()?;
    put_access(&state.join(TALOSCONFIG), name, context)
}

/// Puts a context into a client configuration file under its name, replacing an older one, and makes it current.
pub(crate) fn put_access(path: &Path, name: &str, context: &Context) -> anyhow::Result<()> {
    let mut file = AccessFile::load(path.to_owned())?;
    match file.access.context_mut(name) {
        Some(known) => context.clone_into(known),
        None => file.access.contexts.push((name.to_owned(), context.clone())),
    }
    name.clone_into(&mut file.access.current);
    Ok(file.save()?)
}

/// Stores the kubeconfig; it becomes the current one of the state directory.
pub(crate) fn store_kubeconfig(
    directory: &ClusterDirectory,
    state: &Path,
    content: &Value,
) -> anyhow::Result<()> {
    kubeconfig::store(&directory.file(KUBECONFIG), content)?;
    kubeconfig::merge_file(&state.join(KUBECONFIG), content, true)
}

/// Takes the cluster out of the state directory's files, and removes those that are empty then.
pub(crate) fn forget(state: &Path, name: &str) -> anyhow::Result<()> {
    let path = state.join(TALOSCONFIG);
    if path.exists() {
        let mut file = AccessFile::load(path.clone())?;
        file.access.contexts.retain(|(known, _)| known != name);
        if file.access.current == name {
            file.access.current =
                file.access.contexts.first().map(|(name, _)| name.clone()).unwrap_or_default();
        }
        if file.access.contexts.is_empty() { remove(&path)? } else { file.save()? }
    }
    let path = state.join(KUBECONFIG);
    if path.exists() {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let mut config =
            kubeconfig::parse(&text).with_context(|| format!("reading {}", path.display()))?;
        kubeconfig::remove(&mut config, &format!("admin@{name}"));
        let empty =
            config.entry("contexts").and_then(Value::as_seq).is_none_or(<[Value]>::is_empty);
        if empty { remove(&path)? } else { kubeconfig::store(&path, &config)? }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
}
