//! Images: presence, pull with unpacking, and the snapshot that a container of an image starts from.

use api::containerd::services::images::v1::{
    DeleteImageRequest, GetImageRequest, ListImagesRequest, images_client::ImagesClient,
};
use api::containerd::services::snapshots::v1::{
    StatSnapshotRequest, snapshots_client::SnapshotsClient,
};
use api::containerd::services::transfer::v1::{TransferRequest, transfer_client::TransferClient};
use api::containerd::types::{Platform, transfer};
use prost::Message;
use prost_types::Any;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::connection::{ContainersError, optional};
use crate::containerd::Containerd;

/// The snapshotter of every container.
pub(crate) const SNAPSHOTTER: &str = "overlayfs";

/// This machine's architecture in the words of image indexes.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// An image in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its full name.
    pub name: String,
    /// Digest of its index or manifest.
    pub digest: String,
    /// Size of that document.
    pub size: i64,
    /// When it was first stored, seconds since 1970.
    pub created: i64,
    /// Labels.
    pub labels: Vec<(String, String)>,
}

/// How to pull.
#[derive(Clone, Debug)]
pub struct Pull<'a> {
    /// Full name of the image.
    pub reference: &'a str,
    /// Directory with one `hosts.toml` per registry; the registry itself is asked when empty.
    pub host_dir: &'a str,
}

/// An image as a container needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unpacked {
    /// The snapshot that holds all its layers.
    pub(crate) snapshot: String,
    /// Its configuration: entry point, environment.
    pub(crate) config: Value,
}

fn any(type_name: &str, message: &impl Message) -> Any {
    // The `type.googleapis.com/` prefix is left out: containerd compares the plain name.
    Any { type_url: type_name.to_owned(), value: message.encode_to_vec() }
}

fn platform() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: ARCHITECTURE.to_owned(),
        ..Platform::default()
    }
}

/// The name of the snapshot of a chain of layers, as the image specification defines it.
fn chain_id(diff_ids: &[&str]) -> Option<String> {
    let (first, rest) = diff_ids.split_first()?;
    Some(rest.iter().fold((*first).to_owned(), |chain, diff| {
        let digest = Sha256::digest(format!("{chain} {diff}"));
        digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }))
}

impl Containerd {
    fn images(&self) -> ImagesClient<crate::containerd::Transport> {
        ImagesClient::new(self.transport())
    }

    /// The image of this name, if the store has it.
    pub async fn image(&self, name: &str) -> Result<Option<Image>, ContainersError> {
        let found = self
            .images()
            .get(GetImageRequest { name: name.to_owned() })
            .await
            .map_err(ContainersError::call(format!("look for image {name}")));
        Ok(optional(found)?.and_then(|answer| answer.into_inner().image).map(Image::from))
    }

    /// All images of the namespace.
    pub async fn list_images(&self) -> Result<Vec<Image>, ContainersError> {
        let answer = self
            .images()
            .max_decoding_message_size(crate::containerd::MESSAGE_LIMIT)
            .list(ListImagesRequest::default())
            .await
            .map_err(ContainersError::call("list images"))?
            .into_inner();
        Ok(answer.images.into_iter().map(Image::from).collect())
    }

    /// Forgets an image; its content goes when nothing else needs it.
    pub async fn remove_image(&self, name: &str) -> Result<(), ContainersError> {
        let request = DeleteImageRequest { name: name.to_owned(), ..DeleteImageRequest::default() };
        let removed = self
            .images()
            .delete(request)
            .await
            .map_err(ContainersError::call(format!("remove image {name}")));
        optional(removed).map(drop)
    }

    /// Pulls and unpacks an image. containerd does all of it: fetch, check of digests, unpack.
    pub async fn pull(&self, pull: &Pull<'_>) -> Result<(), ContainersError> {
        let source = transfer::OciRegistry {
            reference: pull.reference.to_owned(),
            resolver: Some(transfer::RegistryResolver {
                host_dir: pull.host_dir.to_owned(),
                ..transfer::RegistryResolver::default()
            }),
        };
        let destination = transfer::ImageStore {
            name: pull.reference.to_owned(),
            platforms: vec![platform()],
            unpacks: vec![transfer::UnpackConfiguration {
                platform: Some(platform()),
                snapshotter: SNAPSHOTTER.to_owned(),
            }],
            ..transfer::ImageStore::default()
        };
        let request = TransferRequest {
            source: Some(any("containerd.types.transfer.OCIRegistry", &source)),
            destination: Some(any("containerd.types.transfer.ImageStore", &destination)),
            options: None,
        };
        TransferClient::new(self.transport())
            .transfer(request)
            .await
            .map_err(ContainersError::call(format!("pull image {}", pull.reference)))?;
        Ok(())
    }

    /// Makes sure that an image is there, complete and unpacked, pulling it only where it is not.
    ///
    /// Says whether it had to be pulled.
    pub async fn ensure(&self, pull: &Pull<'_>) -> Result<bool, ContainersError> {
        if self.is_unpacked(pull.reference).await? {
            return Ok(false);
        }
        self.pull(pull).await?;
        Ok(true)
    }

    /// Whether a container of this image could start now.
    pub async fn is_unpacked(&self, reference: &str) -> Result<bool, ContainersError> {
        let Some(image) = self.image(reference).await? else { return Ok(false) };
        let Some(unpacked) = optional(self.unpacked(&image).await)? else { return Ok(false) };
        let stat = SnapshotsClient::new(self.transport())
            .stat(StatSnapshotRequest {
                snapshotter: SNAPSHOTTER.to_owned(),
                key: unpacked.snapshot.clone(),
            })
            .await
            .map_err(ContainersError::call(format!("look for snapshot {}", unpacked.snapshot)));
        Ok(optional(stat)?.is_some())
    }

    /// Follows an image from its index to its configuration.
    pub(crate) async fn unpacked(&self, image: &Image) -> Result<Unpacked, ContainersError> {
        let reference = image.name.as_str();
        let lacks = |what: &str| {
            ContainersError::answer(format!("read image {reference}"), what.to_owned())
        };
        let mut manifest = self.document(reference, "manifest", &image.digest).await?;
        if let Some(variants) = manifest["manifests"].as_array() {
            let fits = |variant: &&Value| {
                let platform = &variant["platform"];
                platform["os"] == "linux" && platform["architecture"] == ARCHITECTURE
            };
            // An index of one image without platforms is that image.
            let variant = match variants.as_slice() {
                [only] if only["platform"].is_null() => Some(only),
                all => all.iter().find(fits),
            };
            let digest =
                variant.and_then(|variant| variant["digest"].as_str()).ok_or_else(|| {
                    ContainersError::Platform {
                        reference: reference.to_owned(),
                        architecture: ARCHITECTURE,
                    }
                })?;
            manifest = self.document(reference, "manifest", digest).await?;
        }
        let digest = manifest["config"]["digest"]
            .as_str()
            .ok_or_else(|| lacks("the digest of its configuration"))?;
        let document = self.document(reference, "configuration", digest).await?;
        let layers = document["rootfs"]["diff_ids"].as_array();
        let layers: Option<Vec<&str>> =
            layers.map(|ids| ids.iter().map(Value::as_str).collect()).unwrap_or_default();
        let snapshot =
            layers.as_deref().and_then(chain_id).ok_or_else(|| lacks("a list of layers"))?;
        Ok(Unpacked { snapshot, config: document["config"].clone() })
    }
}

impl From<api::containerd::services::images::v1::Image> for Image {
    fn from(image: api::containerd::services::images::v1::Image) -> Self {
        let target = image.target.unwrap_or_default();
        Self {
            name: image.name,
            digest: target.digest,
            size: target.size,
            created: image.created_at.map_or(0, |time| time.seconds),
            labels: image.labels.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::chain_id;

    #[test]
    fn chains() {
        assert_eq!(chain_id(&[]), None);
        assert_eq!(chain_id(&["sha256:a"]).as_deref(), Some("sha256:a"));
        // sha256 of the text "sha256:a sha256:b", from coreutils.
        assert_eq!(
            chain_id(&["sha256:a", "sha256:b"]).as_deref(),
            Some("sha256:970a948bffa8de94d6e22d747ba8c95030e6e546909f98f54e99a13005e173a8")
        );
    }
}
