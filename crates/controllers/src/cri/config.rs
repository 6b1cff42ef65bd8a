//! containerd's configuration files as text.
//!
//! The CRI instance reads `/etc/cri/containerd.toml`, which imports the merged `/etc/cri/conf.d/cri.toml`.
//! Parts (`*.part`) are merged in the order of their names, later ones win key by key.

use containers::durable_unpacking;
use toml::{Table, Value};

use super::services::CRI_SOCKET;

/// What the CRI instance's base configuration depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The image of the pod sandbox.
    pub sandbox_image: String,
    /// The kernel refuses to lower an OOM score (no CAP_SYS_RESOURCE); containerd must not try.
    pub restrict_oom_score: bool,
    /// The cgroup that shims are put in.
    pub shim_cgroup: String,
    /// The kernel is the node's own: what is in its memory only is lost with the power. Otherwise it is a host's, and stays.
    pub own_kernel: bool,
}

/// A part that is not TOML.
#[derive(Debug, thiserror::Error)]
#[error("containerd configuration part {name} is not valid TOML")]
pub struct PartError {
    /// The part's name.
    pub name: String,
    /// Where and why.
    #[source]
    pub source: toml::de::Error,
}

/// The file that the CRI instance is started with.
pub const CONTAINERD: &str = r#"version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
imports = ["/etc/cri/conf.d/cri.toml"]
disabled_plugins = [
  "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.differ.v1.erofs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "/run/containerd/containerd.sock"

[ttrpc]
address = "/run/containerd/containerd.sock.ttrpc"
"#;

/// The file that the system instance is started with: no CRI, its store in memory.
pub const SYSTEM: &str = r#"version = 3
root = "/system/var/lib/containerd"
state = "/system/run/containerd"
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.differ.v1.erofs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "/system/run/containerd/containerd.sock"

[ttrpc]
address = "/system/run/containerd/containerd.sock.ttrpc"
"#;

/// The first part: what Ichor needs of containerd.
#[must_use]
pub fn base(base: &Base) -> String {
    let Base { sandbox_image, restrict_oom_score, shim_cgroup, own_kernel } = base;
    let durable = if *own_kernel { durable_unpacking(CRI_SOCKET) } else { String::new() };
    format!(
        r#"version = 3

[plugins."io.containerd.cri.v1.images"]
discard_unpacked_layers = true
use_local_image_pull = true

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = {sandbox_image}

[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/cri/conf.d/hosts"

[plugins."io.containerd.cri.v1.runtime"]
enable_cdi = true
cdi_spec_dirs = ["/run/cdi"]
restrict_oom_score_adj = {restrict_oom_score}

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/opt/cni/bin"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
ShimCgroup = {shim_cgroup}
{durable}"#,
        sandbox_image = Value::String(sandbox_image.clone()),
        shim_cgroup = Value::String(shim_cgroup.clone()),
    )
}

/// All parts as one file. `parts` are (name, text) in any order.
///
/// # Errors
/// [`PartError`] names the part that is not TOML.
pub fn merge(parts: &[(String, String)]) -> Result<String, PartError> {
    let mut ordered: Vec<&(String, String)> = parts.iter().collect();
    ordered.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut merged = Table::new();
    for (name, text) in ordered {
        let table: Table =
            text.parse().map_err(|source| PartError { name: name.clone(), source })?;
        overlay(&mut merged, table);
    }
    Ok(merged.to_string())
}

fn overlay(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Base {
        Base {
            sandbox_image: "registry.k8s.io/pause:3.10.2".into(),
            restrict_oom_score: true,
            shim_cgroup: "/podruntime/shim".into(),
            own_kernel: true,
        }
    }

    fn part(name: &str, text: &str) -> (String, String) {
        (name.into(), text.into())
    }

    #[test]
    fn every_written_file_is_toml() {
        for text in [CONTAINERD, SYSTEM, base(&sample()).as_str()] {
            let table: Table = text.parse().unwrap();
            assert_eq!(table.get("version"), Some(&Value::Integer(3)));
        }
    }

    #[test]
    fn later_parts_win_key_by_key() {
        let custom = r#"
            [plugins."io.containerd.cri.v1.runtime"]
            enable_cdi = false
        "#;
        let merged =
            merge(&[part("20-customization.part", custom), part("00-base.part", &base(&sample()))])
                .unwrap();
        let table: Table = merged.parse().unwrap();
        let runtime = &table["plugins"]["io.containerd.cri.v1.runtime"];
        assert_eq!(runtime["enable_cdi"], Value::Boolean(false));
        assert_eq!(runtime["restrict_oom_score_adj"], Value::Boolean(true));
        let options = &runtime["containerd"]["runtimes"]["runc"]["options"];
        assert_eq!(options["SystemdCgroup"], Value::Boolean(false));
        assert_eq!(options["ShimCgroup"].as_str(), Some("/podruntime/shim"));
    }

    #[test]
    fn layers_are_on_the_disk_where_the_kernel_is_the_nodes_own() {
        let table: Table = CONTAINERD.parse().unwrap();
        assert_eq!(table["grpc"]["address"].as_str(), Some(CRI_SOCKET));
        for own_kernel in [true, false] {
            let base = base(&Base { own_kernel, ..sample() });
            let table: Table = base.parse().unwrap();
            let service = table["plugins"].get("io.containerd.service.v1.diff-service");
            assert_eq!(service.is_some(), own_kernel);
        }
    }

    #[test]
    fn a_part_that_is_not_toml_is_named() {
        let error = merge(&[part("20-customization.part", "= nonsense")]).unwrap_err();
        assert_eq!(error.name, "20-customization.part");
    }
}
