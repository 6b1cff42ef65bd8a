//! What the platform has for a configuration: nothing, an address to fetch it from, or a volume with a label.
//!
//! Facts: machine.md, 1.1 (kernel arguments) and 1.8 (platforms).

use std::path::PathBuf;

use ::runtime::Condition;
use boot::command_line::arguments::ConfigSource;
use resource::block::DiscoveredVolumeSpec;
use resource::enums::LinkType;
use resource::network::{HostnameStatusSpec, LinkStatusSpec, StatusSpec};
use resource::runtime::MetaKeySpec;
use sys::mount::{self, MountError, MountFlags};

use super::download::{self, DownloadError};
use super::source::{self, SourceError};
use crate::Node;

const OWNER: &str = "config.AcquireController";
/// Where a volume is mounted while it is read.
const MEDIA: &str = "/run/ichor/media";
/// The label of a volume with a configuration for a machine of no cloud.
const METAL: [&str; 1] = ["metal-iso"];
/// The labels of a volume with the data of cloud-init's NoCloud.
const NOCLOUD: [&str; 2] = ["cidata", "CIDATA"];

/// Why the platform gave none.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlatformError {
    #[error("the machine configuration cannot be fetched")]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(
        "the volume {label} is not there: attach a disk with this label, or change the kernel argument talos.config"
    )]
    NoVolume { label: &'static str },
    #[error("the volume {label} cannot be read")]
    Volume {
        label: String,
        #[source]
        source: MountError,
    },
    #[error("cannot make {MEDIA}")]
    Media(#[source] std::io::Error),
    #[error("the volume {label} has no file {file}")]
    NoFile { label: &'static str, file: &'static str },
}

/// The configuration that the platform has; `None` when it has none.
pub(super) async fn configuration(node: &Node) -> Result<Option<Vec<u8>>, PlatformError> {
    if node.platform.in_container() {
        return match &node.platform.user_data {
            Some(text) => Ok(source::user_data(text)?),
            None => Ok(None),
        };
    }
    let found = match &node.arguments.config {
        Some(ConfigSource::None) => None,
        Some(ConfigSource::Volume) => Some(volume(node)?),
        Some(ConfigSource::Url(url)) => Some(fetch(node, url).await?),
        None if node.platform.name == "nocloud" => nocloud(node).await?,
        None => None,
    };
    Ok(found.map(|bytes| source::decompress("the platform", bytes)).transpose()?)
}

fn volume(node: &Node) -> Result<Vec<u8>, PlatformError> {
    let [label] = METAL;
    let file = "config.yaml";
    match media(node, &METAL, &[file])?.map(|files| files.into_iter().next().flatten()) {
        Some(Some(content)) => Ok(content),
        Some(None) => Err(PlatformError::NoFile { label, file }),
        None => Err(PlatformError::NoVolume { label }),
    }
}

/// The files of the first volume with one of the labels, as far as it has them; `None` when there is no such volume.
/// All disks were looked at before: the search for STATE waits for that.
fn media(
    node: &Node,
    labels: &[&str],
    files: &[&str],
) -> Result<Option<Vec<Option<Vec<u8>>>>, PlatformError> {
    let volumes = node.store.list::<DiscoveredVolumeSpec>("runtime");
    let Some(volume) = volumes.iter().find(|volume| labels.contains(&volume.spec.label.as_str()))
    else {
        return Ok(None);
    };
    let label = &volume.spec.label;
    let place = node.paths.at(MEDIA);
    std::fs::create_dir_all(&place).map_err(PlatformError::Media)?;
    let failed = |source| PlatformError::Volume { label: label.clone(), source };
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount::mount(&volume.spec.name, &volume.spec.dev_path, &place, flags, "").map_err(failed)?;
    let contents = files.iter().map(|file| source::disk(&place.join(file))).collect();
    mount::unmount(&place, false).map_err(failed)?;
    let contents: Result<_, SourceError> = contents;
    Ok(Some(contents?))
}

async fn fetch(node: &Node, url: &str) -> Result<Vec<u8>, PlatformError> {
    {
        let condition =
            Condition::resource_state::<StatusSpec>("network", "status", "has an address");
        let _waiting = node.store.waiting(OWNER, &condition);
        node.store
            .wait_for::<StatusSpec>("network", "status", |status| {
                status.is_some_and(|status| status.spec.address_ready)
            })
            .await;
    }
    let url = expand(url, &variables(node, url).await);
    tracing::info!(url, "the machine configuration is fetched");
    Ok(download::fetch(&url).await?)
}

/// What the variables of an address stand for on this machine.
#[derive(Debug, Default)]
struct Variables {
    uuid: String,
    serial: String,
    mac: String,
    hostname: String,
    code: String,
}

fn expand(url: &str, variables: &Variables) -> String {
    let Variables { uuid, serial, mac, hostname, code } = variables;
    [("uuid", uuid), ("serial", serial), ("mac", mac), ("hostname", hostname), ("code", code)]
        .into_iter()
        .fold(url.to_owned(), |url, (name, value)| url.replace(&format!("${{{name}}}"), value))
}

async fn variables(node: &Node, url: &str) -> Variables {
    let firmware = |name: &str| {
        let path = node.paths.at("/sys/class/dmi/id").join(name);
        std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
    };
    // The name may come late, from DHCP; it is waited for only when it is asked for.
    let hostname = if url.contains("${hostname}") {
        let condition = Condition::resource::<HostnameStatusSpec>("network", "hostname");
        let _waiting = node.store.waiting(OWNER, &condition);
        let named = node
            .store
            .wait_for::<HostnameStatusSpec>("network", "hostname", |status| status.is_some())
            .await;
        named.map(|status| status.spec.hostname.clone()).unwrap_or_default()
    } else {
        String::new()
    };
    let links = node.store.list::<LinkStatusSpec>("network");
    let physical = links.iter().find(|link| {
        link.spec.r#type == LinkType::ETHER && link.spec.kind.is_empty() && link.spec.link_state
    });
    Variables {
        uuid: firmware("product_uuid").to_ascii_lowercase(),
        serial: firmware("product_serial"),
        mac: physical.map(|link| link.spec.hardware_addr.to_string()).unwrap_or_default(),
        hostname,
        code: node
            .store
            .get::<MetaKeySpec>("runtime", "0x0b")
            .map(|key| key.spec.value.clone())
            .unwrap_or_default(),
    }
}

/// Where the data of NoCloud is: the address in the firmware's serial number, or a volume.
fn seed(serial: &str) -> Option<String> {
    let mut parts = serial.trim().split(';');
    let kind = parts.next()?.strip_prefix("ds=")?;
    if kind != "nocloud" && kind != "nocloud-net" {
        return None;
    }
    let address = parts
        .find_map(|part| part.strip_prefix("s=").or_else(|| part.strip_prefix("seedfrom=")))?;
    (address.starts_with("http://") || address.starts_with("https://"))
        .then(|| format!("{}/", address.trim_end_matches('/')))
}

async fn nocloud(node: &Node) -> Result<Option<Vec<u8>>, PlatformError> {
    let serial: PathBuf = node.paths.at("/sys/class/dmi/id/product_serial");
    let serial = std::fs::read_to_string(&serial).unwrap_or_default();
    let data = match seed(&serial) {
        Some(address) => Some(fetch(node, &format!("{address}user-data")).await?),
        None => media(node, &NOCLOUD, &["user-data"])?
            .and_then(|files| files.into_iter().next().flatten()),
    };
    match data.map(meaning) {
        None | Some(UserData::None) => Ok(None),
        Some(UserData::Configuration(bytes)) => Ok(Some(bytes)),
        Some(UserData::Include(url)) => Ok(Some(fetch(node, &url).await?)),
    }
}

/// What user data is.
#[derive(Debug, PartialEq, Eq)]
enum UserData {
    /// Nothing, or something for another system.
    None,
    /// A configuration.
    Configuration(Vec<u8>),
    /// An address that has the configuration.
    Include(String),
}

fn meaning(bytes: Vec<u8>) -> UserData {
    if bytes.trim_ascii().is_empty() || bytes.starts_with(b"#cloud-config") {
        return UserData::None;
    }
    let Some(rest) = bytes.strip_prefix(b"#include") else {
        return UserData::Configuration(bytes);
    };
    let text = String::from_utf8_lossy(rest);
    let address =
        text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    address.map_or(UserData::None, |address| UserData::Include(address.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_for_the_machine() {
        let variables = Variables {
            uuid: "4c4c".into(),
            mac: "52:54:00:00:00:01".into(),
            ..Variables::default()
        };
        let url = "http://h/c?u=${uuid}&m=${mac}&x=${other}&c=${code}";
        let expected = "http://h/c?u=4c4c&m=52:54:00:00:00:01&x=${other}&c=";
        assert_eq!(expand(url, &variables), expected);
    }

    #[test]
    fn the_serial_number_says_where_the_data_is() {
        let address = |serial| seed(serial);
        assert_eq!(
            address("ds=nocloud-net;s=http://10.0.2.2/a/;h=x").unwrap(),
            "http://10.0.2.2/a/"
        );
        assert_eq!(address("ds=nocloud;h=x;s=https://h/b\n").unwrap(), "https://h/b/");
        for serial in ["", "ds=ec2;s=http://h/", "ds=nocloud", "ds=nocloud;s=/dev/vdb", "VM-1"] {
            assert_eq!(address(serial), None, "{serial}");
        }
    }

    #[test]
    fn user_data_may_be_for_another_system_or_elsewhere() {
        let of = |text: &str| meaning(text.as_bytes().to_vec());
        assert_eq!(of(" \n"), UserData::None);
        assert_eq!(of("#cloud-config\nusers: []\n"), UserData::None);
        assert_eq!(of("#include\n\n http://h/x \n"), UserData::Include("http://h/x".into()));
        assert_eq!(of("#include\n"), UserData::None);
        assert_eq!(
            of("version: v1alpha1\n"),
            UserData::Configuration(b"version: v1alpha1\n".into())
        );
    }
}
