//! One reply out of many: replies of several nodes are joined as bytes, each marked with its node.
//!
//! A unary reply is a list with one element in field 1, so lists of several nodes are joined by putting them one
//! after the other; the node's name goes into each element's metadata, which is always field 1 of it.
//! Must never: decode a payload, since apid does not know all of them.

use api::{common, google::rpc};
use bytes::Bytes;
use prost::{Message, encoding};

use crate::frame::{self, FrameError};

/// Field 1, length-delimited: `messages` of every unary reply.
const MESSAGES: u8 = 1 << 3 | 2;

/// Why a node's reply cannot be marked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// It does not begin with the list that every reply of this kind begins with.
    #[error("the reply of {node} is not a list of messages")]
    NotList {
        /// The node.
        node: String,
    },
    /// The list's element does not fill the reply.
    #[error("the reply of {node} holds {have} bytes where its first message says {said}")]
    Length {
        /// The node.
        node: String,
        /// What the reply has left for the element.
        have: usize,
        /// What the element says of itself.
        said: u64,
    },
    /// The result is too large.
    #[error("joining the reply of {node}")]
    Frame {
        /// The node.
        node: String,
        /// Why.
        #[source]
        source: FrameError,
    },
}

/// The metadata of a node, encoded as the field that goes into its messages.
fn mark(metadata: common::Metadata) -> Vec<u8> {
    common::Empty { metadata: Some(metadata) }.encode_to_vec()
}

fn named(node: &str) -> Vec<u8> {
    mark(common::Metadata { hostname: node.to_owned(), ..Default::default() })
}

fn element(content: &[&[u8]]) -> Vec<u8> {
    let length: usize = content.iter().map(|piece| piece.len()).sum();
    let mut list = Vec::with_capacity(length + 6);
    list.push(MESSAGES);
    encoding::encode_varint(length as u64, &mut list);
    for piece in content {
        list.extend_from_slice(piece);
    }
    list
}

/// A node's unary reply with its only element marked by the node's name, ready to be put before and after others.
///
/// # Errors
/// [`MergeError`] when the reply is not a list of one.
pub fn unary(node: &str, reply: &[u8]) -> Result<Vec<u8>, MergeError> {
    let Some((&MESSAGES, mut rest)) = reply.split_first() else {
        return Err(MergeError::NotList { node: node.to_owned() });
    };
    let said = encoding::decode_varint(&mut rest)
        .map_err(|_| MergeError::NotList { node: node.to_owned() })?;
    if said != rest.len() as u64 {
        return Err(MergeError::Length { node: node.to_owned(), have: rest.len(), said });
    }
    Ok(element(&[rest, &named(node)]))
}

/// A node's streamed message, marked by the node's name, as a frame.
///
/// # Errors
/// [`MergeError::Frame`] when the mark makes it too large.
pub fn streamed(node: &str, message: &[u8]) -> Result<Bytes, MergeError> {
    frame::join(&[message, &named(node)])
        .map_err(|source| MergeError::Frame { node: node.to_owned(), source })
}

/// How a node failed, in the place of its reply.
fn failure(node: &str, status: &tonic::Status) -> Vec<u8> {
    mark(common::Metadata {
        hostname: node.to_owned(),
        error: format!("rpc error: code = {:?} desc = {}", status.code(), status.message()),
        status: Some(rpc::Status {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        }),
    })
}

/// The element that stands for a node which failed to reply.
#[must_use]
pub fn unary_failure(node: &str, status: &tonic::Status) -> Vec<u8> {
    element(&[&failure(node, status)])
}

/// The frame that stands for a node whose stream failed.
///
/// # Errors
/// [`MergeError::Frame`] when the error text is beyond all measure.
pub fn streamed_failure(node: &str, status: &tonic::Status) -> Result<Bytes, MergeError> {
    frame::join(&[&failure(node, status)])
        .map_err(|source| MergeError::Frame { node: node.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use api::machine;

    use super::*;

    fn hostname(name: &str) -> Vec<u8> {
        let message = machine::Hostname { metadata: None, hostname: name.to_owned() };
        machine::HostnameResponse { messages: vec![message] }.encode_to_vec()
    }

    #[test]
    fn unary_replies_become_one_list_with_a_node_on_each_element() {
        let mut list = unary("10.5.0.2", &hostname("a")).unwrap();
        list.extend(unary("10.5.0.3", &hostname("b")).unwrap());
        list.extend(unary_failure("10.5.0.4", &tonic::Status::unavailable("no route")));
        let merged = machine::HostnameResponse::decode(&*list).unwrap();
        let seen: Vec<_> = merged
            .messages
            .iter()
            .map(|m| {
                let metadata = m.metadata.clone().unwrap();
                (metadata.hostname, m.hostname.as_str(), metadata.status.map_or(0, |s| s.code))
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("10.5.0.2".to_owned(), "a", 0),
                ("10.5.0.3".to_owned(), "b", 0),
                ("10.5.0.4".to_owned(), "", 14),
            ]
        );
        let error = &merged.messages[2].metadata.as_ref().unwrap().error;
        assert_eq!(error, "rpc error: code = Unavailable desc = no route");
    }

    #[test]
    fn a_streamed_message_keeps_its_payload_and_gets_its_node() {
        let data = common::Data { metadata: None, bytes: Bytes::from_static(b"line") };
        let frame = streamed("n1", &data.encode_to_vec()).unwrap();
        let marked = common::Data::decode(&frame[frame::HEADER..]).unwrap();
        assert_eq!(marked.bytes, data.bytes);
        assert_eq!(marked.metadata.unwrap().hostname, "n1");
        let frame = streamed_failure("n2", &tonic::Status::not_found("x")).unwrap();
        let failed = common::Data::decode(&frame[frame::HEADER..]).unwrap();
        assert_eq!(failed.metadata.unwrap().status.unwrap().code, 5);
    }

    #[test]
    fn a_reply_of_another_shape_is_refused_and_not_garbled() {
        let list = |node: &str| MergeError::NotList { node: node.to_owned() };
        assert_eq!(unary("n", &[]), Err(list("n")));
        assert_eq!(unary("n", &[0x12, 0]), Err(list("n")));
        assert_eq!(unary("n", &[MESSAGES]), Err(list("n")));
        assert_eq!(
            unary("n", &[MESSAGES, 3, 1]),
            Err(MergeError::Length { node: "n".into(), have: 1, said: 3 })
        );
        let mut two = hostname("a");
        two.extend(hostname("b"));
        assert!(matches!(unary("n", &two), Err(MergeError::Length { .. })));
    }
}
