//! One node of a running cluster: starting its first process and noticing its end.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sys::Signal;
use sys::cgroup::{CgroupError, Group, Version};
use sys::namespace::{self, Namespaces};
use sys::process::{Child, Spawn, SpawnError, Stdio};
use thiserror::Error;

use super::fabric::{Fabric, FabricError};
use super::launch::{Bind, Launch};
use crate::spec::{ClusterSpec, NodeSpec, RootImage};
use crate::state::{
    ClusterDirectory, FIRST_PROCESS, NODE_CONFIG, ProcessRecord, StateError, make_directory,
    write_file,
};
use crate::supervisor::{LAUNCH, SELF};

/// The kernel takes no longer argument or variable (`MAX_ARG_STRLEN`), less some room for its name.
const LONGEST_VARIABLE: usize = 131_072 - 64;

/// Why a node was not started.
#[derive(Debug, Error)]
pub(crate) enum NodeError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    Fabric(#[from] FabricError),
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the configuration of {node} is too large to be handed over, even compressed")]
    ConfigTooLarge { node: String },
    #[error("cannot tell the first process of {node} what to do")]
    Instruct {
        node: String,
        #[source]
        source: io::Error,
    },
}

/// Where a node lives on the host.
pub(crate) struct Place<'a> {
    pub(crate) cluster: &'a ClusterSpec,
    pub(crate) root: &'a RootImage,
    pub(crate) directory: &'a ClusterDirectory,
    pub(crate) group: Group,
    pub(crate) fabric: &'a Fabric,
}

/// Starts `node`, the `number`th of its cluster. Must be called on a thread that lives as long as
/// the node may: when it ends, the node loses its power.
pub(crate) async fn start(
    place: &Place<'_>,
    number: usize,
    node: &NodeSpec,
) -> Result<Child, NodeError> {
    let directory = ClusterDirectory::at(place.directory.node(&node.name));
    let launch = prepare(place, &directory, node)?;
    // Whatever the last run left is empty by now: its PID namespace is gone.
    place.group.remove()?;
    place.group.create()?;
    limit(&place.group, node)?;

    let instruct = |source| NodeError::Instruct { node: node.name.clone(), source };
    let (reader, mut writer) = io::pipe().map_err(instruct)?;
    let namespaces = Namespaces::MOUNT
        | Namespaces::NETWORK
        | Namespaces::PID
        | Namespaces::UTS
        | Namespaces::IPC
        | Namespaces::CGROUP;
    let mut spawn = Spawn::new(SELF)
        .arg0("ichorctl")
        .arg(LAUNCH)
        .stdin(Stdio::Fd(OwnedFd::from(reader)))
        .log_to(place.directory.console(&node.name))
        .unshare(namespaces)
        .new_session()
        .directory("/")
        .death_signal(Signal::KILL);
    for procs in place.group.procs() {
        spawn = spawn.cgroup_procs(procs);
    }
    let child = spawn.spawn()?;
    // From here on, a node that is not told everything must not stay.
    let told = async {
        let record = ProcessRecord::of(child.id()).map_err(instruct)?;
        directory.write(FIRST_PROCESS, &record)?;
        let network = namespace::network_of(child.id()).map_err(instruct)?;
        place.fabric.plug_in(number, node.address, network).await?;
        let text = serde_json::to_vec(&launch).map_err(|error| instruct(error.into()))?;
        writer.write_all(&text).map_err(instruct)
    };
    if let Err(error) = told.await {
        // It was not told anything, so all it can do is end.
        let _ = child.signal(Signal::KILL);
        let _ = child.wait();
        return Err(error);
    }
    Ok(child)
}

/// Makes the node's directories and files and says what its first process will find.
fn prepare(
    place: &Place<'_>,
    directory: &ClusterDirectory,
    node: &NodeSpec,
) -> Result<Launch, NodeError> {
    let (var, state, root) =
        (directory.file("var"), directory.file("state"), directory.file("root"));
    make_directory(directory.path())?;
    for path in [&var, &state, &root] {
        make_directory(path)?;
    }
    let (hostname, resolvers) = (directory.file("hostname"), directory.file("resolv.conf"));
    write_file(&hostname, format!("{}\n", node.name).as_bytes())?;
    write_file(&resolvers, format!("nameserver {}\n", place.cluster.gateway()).as_bytes())?;
    let bind = |source: PathBuf, target: &str, read_only| Bind {
        source,
        target: target.into(),
        read_only,
    };
    let mut binds = vec![
        bind(var, "/var", false),
        bind(state, "/system/state", false),
        bind(hostname, "/etc/hostname", true),
        bind(resolvers, "/etc/resolv.conf", true),
    ];
    if let Some(cache) = &place.cluster.image_cache {
        binds.push(bind(cache.clone(), "/system/imagecache/disk", true));
    }
    let path = directory.file(NODE_CONFIG);
    let config = match fs::read(&path) {
        Ok(config) => Some(config),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(NodeError::Read { path, source }),
    };
    Ok(Launch {
        hostname: node.name.clone(),
        root: place.root.clone(),
        mountpoint: root,
        binds,
        environment: environment(node, config.as_deref())?,
    })
}

/// What the contract's container mode expects in the environment.
fn environment(node: &NodeSpec, config: Option<&[u8]>) -> Result<Vec<(String, String)>, NodeError> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let sku = format!("{}CPU-{}RAM", node.size.millicpus / 1000, node.size.memory >> 20);
    let mut environment = vec![pair("PLATFORM", "container".to_owned()), pair("TALOSSKU", sku)];
    if let Some(config) = config {
        let too_large = || NodeError::ConfigTooLarge { node: node.name.clone() };
        let mut text = STANDARD.encode(config);
        if text.len() > LONGEST_VARIABLE {
            text = STANDARD.encode(compress(config).map_err(|_| too_large())?);
        }
        if text.len() > LONGEST_VARIABLE {
            return Err(too_large());
        }
        environment.push(pair("USERDATA", text));
    }
    Ok(environment)
}

fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// Keeps the node to its size.
fn limit(group: &Group, node: &NodeSpec) -> Result<(), CgroupError> {
    const PERIOD: u64 = 100_000;
    let memory = node.size.memory.to_string();
    let quota = (u64::from(node.size.millicpus) * PERIOD / 1000).to_string();
    match group.version() {
        Version::V1 => {
            group.write("memory", "memory.limit_in_bytes", &memory)?;
            group.write("cpu", "cpu.cfs_period_us", &PERIOD.to_string())?;
            group.write("cpu", "cpu.cfs_quota_us", &quota)
        }
        Version::V2 => {
            group.write("memory", "memory.max", &memory)?;
            group.write("cpu", "cpu.max", &format!("{quota} {PERIOD}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Role, Size};

    fn node() -> NodeSpec {
        NodeSpec {
            name: "a".into(),
            role: Role::Worker,
            address: [10, 5, 0, 3].into(),
            size: Size { millicpus: 2000, memory: 2 << 30 },
        }
    }

    fn variable(config: Option<&[u8]>, name: &str) -> Option<String> {
        let variables = environment(&node(), config).unwrap();
        variables.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    #[test]
    fn the_environment_is_that_of_the_contracts_container_mode() {
        assert_eq!(variable(None, "PLATFORM").as_deref(), Some("container"));
        assert_eq!(variable(None, "TALOSSKU").as_deref(), Some("2CPU-2048RAM"));
        assert_eq!(variable(None, "USERDATA"), None);
        assert_eq!(variable(Some(b"a: b\n"), "USERDATA").as_deref(), Some("YTogYgo="));
    }

    #[test]
    fn a_large_configuration_is_compressed_and_a_huge_one_refused() {
        let large = vec![b'x'; 200_000];
        let text = variable(Some(&large), "USERDATA").unwrap();
        let mut decoded = Vec::new();
        let bytes = STANDARD.decode(text).unwrap();
        let mut decoder = flate2::read::GzDecoder::new(bytes.as_slice());
        io::Read::read_to_end(&mut decoder, &mut decoded).unwrap();
        assert_eq!(decoded, large);

        let mut seed = 1_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        };
        let huge: Vec<u8> = (0..200_000).map(|_| noise()).collect();
        let error = environment(&node(), Some(&huge)).unwrap_err();
        assert!(matches!(error, NodeError::ConfigTooLarge { .. }));
    }
}
