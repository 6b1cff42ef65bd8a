//! Reading documents out of containerd's content store.

use api::containerd::services::content::v1::{
    InfoRequest, ReadContentRequest, content_client::ContentClient,
};
use serde_json::Value;

use crate::connection::{ContainersError, optional};
use crate::containerd::{Containerd, MESSAGE_LIMIT};

/// Documents of an image are small; anything larger is not one.
const DOCUMENT_LIMIT: usize = 8 << 20;

impl Containerd {
    /// Whether a blob is in the content store.
    pub async fn has_blob(&self, digest: &str) -> Result<bool, ContainersError> {
        let info = ContentClient::new(self.transport())
            .info(InfoRequest { digest: digest.to_owned() })
            .await
            .map_err(ContainersError::call(format!("look for blob {digest}")));
        Ok(optional(info)?.is_some())
    }

    /// A JSON document of an image.
    pub(crate) async fn document(
        &self,
        reference: &str,
        part: &'static str,
        digest: &str,
    ) -> Result<Value, ContainersError> {
        let action = format!("read {part} {digest} of image {reference}");
        let mut stream = ContentClient::new(self.transport())
            .max_decoding_message_size(MESSAGE_LIMIT)
            .read(ReadContentRequest { digest: digest.to_owned(), offset: 0, size: 0 })
            .await
            .map_err(ContainersError::call(action.clone()))?
            .into_inner();
        let mut bytes = Vec::new();
        while let Some(chunk) =
            stream.message().await.map_err(ContainersError::call(action.clone()))?
        {
            bytes.extend_from_slice(&chunk.data);
            if bytes.len() > DOCUMENT_LIMIT {
                return Err(ContainersError::answer(action, "an end within 8 MiB"));
            }
        }
        serde_json::from_slice(&bytes).map_err(|source| ContainersError::Image {
            reference: reference.to_owned(),
            part,
            source,
        })
    }
}
