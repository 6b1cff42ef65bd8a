//! A resource on the wire, written straight from the store's shared encodings.
//!
//! `cosi.resource.Resource` is metadata in field 1 and the spec in both encodings in field 2. Must never: differ
//! from what the generated types decode (a test compares).

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use resource::{AnyResource, Metadata, Timestamp};
use tonic::Status;

use crate::frame;

/// Field 1 of `GetResponse` and of `ListResponse`.
const RESOURCE: u32 = 1;

fn field(number: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

fn text(number: u32, content: &str, out: &mut Vec<u8>) {
    if !content.is_empty() {
        field(number, content.as_bytes(), out);
    }
}

fn field_len(number: u32, content: usize) -> usize {
    key_len(number) + encoded_len_varint(content as u64) + content
}

fn timestamp(number: u32, time: Timestamp, out: &mut Vec<u8>) {
    let mut content = Vec::with_capacity(16);
    if time.seconds != 0 {
        encode_key(1, WireType::Varint, &mut content);
        // Protobuf carries a negative int64 as its two's complement.
        encode_varint(time.seconds.cast_unsigned(), &mut content);
    }
    if time.nanos != 0 {
        encode_key(2, WireType::Varint, &mut content);
        encode_varint(u64::from(time.nanos), &mut content);
    }
    field(number, &content, out);
}

fn entry(number: u32, key: &str, value: &str, out: &mut Vec<u8>) {
    let mut content = Vec::with_capacity(key.len() + value.len() + 4);
    text(1, key, &mut content);
    text(2, value, &mut content);
    field(number, &content, out);
}

fn metadata(metadata: &Metadata, version: &str, out: &mut Vec<u8>) {
    text(1, &metadata.namespace, out);
    text(2, metadata.type_name, out);
    text(3, &metadata.id, out);
    text(4, version, out);
    text(5, &metadata.owner, out);
    text(6, metadata.phase.text(), out);
    timestamp(7, metadata.created, out);
    timestamp(8, metadata.updated, out);
    for finalizer in metadata.finalizers.iter() {
        text(9, finalizer, out);
    }
    for (key, value) in metadata.labels.iter() {
        entry(10, key, value, out);
    }
    for (key, value) in metadata.annotations.iter() {
        entry(11, key, value, out);
    }
}

/// `cosi.resource.Resource`.
pub(super) fn resource(resource: &AnyResource, out: &mut Vec<u8>) {
    let mut head = Vec::with_capacity(160);
    let version = resource.metadata().version.to_string();
    metadata(resource.metadata(), &version, &mut head);
    field(1, &head, out);
    let (proto, yaml) = (resource.proto(), resource.yaml());
    let with = |number, length| if length == 0 { 0 } else { field_len(number, length) };
    encode_key(2, WireType::LengthDelimited, out);
    encode_varint((with(1, proto.len()) + with(2, yaml.len())) as u64, out);
    if !proto.is_empty() {
        field(1, &proto, out);
    }
    text(2, &yaml, out);
}

/// A resource that is not there: its name, no version, an empty spec.
pub(super) fn tombstone(type_name: &str, namespace: &str, id: &str) -> Vec<u8> {
    let mut head = Vec::with_capacity(128);
    text(1, namespace, &mut head);
    text(2, type_name, &mut head);
    text(3, id, &mut head);
    text(4, "undefined", &mut head);
    text(6, "running", &mut head);
    let mut out = Vec::with_capacity(head.len() + 8);
    field(1, &head, &mut out);
    field(2, &[], &mut out);
    out
}

/// A resource as the reply to Get, or as one of those to List, with its frame.
pub(super) fn response_frame(found: &AnyResource, out: &mut Vec<u8>) -> Result<(), Status> {
    let mut content = Vec::with_capacity(512);
    resource(found, &mut content);
    let header = frame::header(field_len(RESOURCE, content.len()))
        .map_err(|error| Status::resource_exhausted(format!("{}: {error}", found.metadata())))?;
    out.extend_from_slice(&header);
    field(RESOURCE, &content, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use api::cosi::resource as wire;
    use prost::Message;
    use resource::{Name, network::HostnameStatusSpec};
    use runtime::Store;

    use super::*;

    fn sample() -> AnyResource {
        let store = Store::with_clock(|| Timestamp { seconds: -1, nanos: 5 });
        let spec = HostnameStatusSpec { hostname: "cp-1".into(), domainname: String::new() };
        store.create("network.HostnameSpecController", "network", "hostname", spec).unwrap();
        store.add_finalizer::<HostnameStatusSpec>("network", "hostname", "a").unwrap();
        store.add_finalizer::<HostnameStatusSpec>("network", "hostname", "b").unwrap();
        let found = store.get_any("HostnameStatuses.net.talos.dev", "network", "hostname");
        let found = found.unwrap().unwrap();
        let mut metadata = (**found.metadata()).clone();
        metadata.labels = [(Name::from("k"), Name::from("v")), (Name::from("l"), Name::from(""))]
            .into_iter()
            .collect();
        metadata.annotations = [(Name::from("x"), Name::from("y"))].into_iter().collect();
        AnyResource::new(metadata.into(), found.spec().clone())
    }

    #[test]
    fn generated_types_read_what_is_written_by_hand() {
        let found = sample();
        let mut frame = Vec::new();
        response_frame(&found, &mut frame).unwrap();
        let length = u32::from_be_bytes(frame[1..5].try_into().unwrap()) as usize;
        assert_eq!((frame[0], length), (0, frame.len() - 5));
        let reply = wire::ListResponse::decode(&frame[5..]).unwrap();
        let resource = reply.resource.unwrap();
        let metadata = resource.metadata.unwrap();
        assert_eq!(
            metadata,
            wire::Metadata {
                namespace: "network".into(),
                r#type: "HostnameStatuses.net.talos.dev".into(),
                id: "hostname".into(),
                version: "3".into(),
                owner: "network.HostnameSpecController".into(),
                phase: "running".into(),
                created: Some(prost_types::Timestamp { seconds: -1, nanos: 5 }),
                updated: Some(prost_types::Timestamp { seconds: -1, nanos: 5 }),
                finalizers: vec!["a".into(), "b".into()],
                labels: [("k".into(), "v".into()), ("l".into(), String::new())].into(),
                annotations: [("x".into(), "y".into())].into(),
            }
        );
        let spec = resource.spec.unwrap();
        assert_eq!(spec.proto_spec, b"\x0a\x04cp-1".as_slice());
        assert_eq!(spec.yaml_spec, &*found.yaml());
        assert_eq!(
            wire::GetResponse::decode(&frame[5..]).unwrap().resource.unwrap().spec,
            Some(spec)
        );
    }

    #[test]
    fn a_tombstone_has_a_name_and_nothing_else() {
        let bytes = tombstone("T.x", "ns", "id");
        let resource = wire::Resource::decode(&*bytes).unwrap();
        let metadata = resource.metadata.unwrap();
        assert_eq!((metadata.version.as_str(), metadata.id.as_str()), ("undefined", "id"));
        assert_eq!(resource.spec, Some(wire::Spec::default()));
    }
}
