//! Messages against bytes written by hand from the contract's field numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(feature = "node")]

use api::{common, cosi, machine};
use prost::Message;

/// A field that holds a number below 128.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A field that holds bytes; its number and length are below 16 and 128.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    [&[field << 3 | 2, length], content].concat()
}

#[track_caller]
fn check<M: Message + Default + PartialEq + std::fmt::Debug>(message: &M, fields: &[Vec<u8>]) {
    let expected = fields.concat();
    assert_eq!(message.encode_to_vec(), expected);
    assert_eq!(M::decode(expected.as_slice()).as_ref(), Ok(message));
}

#[test]
fn requests_and_replies_of_the_machine_service() {
    check(
        &machine::LogsRequest {
            namespace: "k8s.io".into(),
            id: "x".into(),
            driver: common::ContainerDriver::Cri.into(),
            follow: true,
            tail_lines: 7,
        },
        &[bytes(1, b"k8s.io"), bytes(2, b"x"), number(3, 1), number(4, 1), number(5, 7)],
    );
    check(
        &machine::ApplyConfigurationRequest {
            data: b"a: 1".into(),
            mode: machine::apply_configuration_request::Mode::Staged.into(),
            dry_run: true,
            try_mode_timeout: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        },
        &[bytes(1, b"a: 1"), number(4, 3), number(5, 1), bytes(6, &number(1, 60))],
    );
    check(
        &machine::HostnameResponse {
            messages: vec![machine::Hostname {
                metadata: Some(common::Metadata { hostname: "n".into(), ..Default::default() }),
                hostname: "h".into(),
            }],
        },
        &[bytes(1, &[bytes(1, &bytes(1, b"n")), bytes(2, b"h")].concat())],
    );
    check(
        &machine::ServiceInfo {
            id: "etcd".into(),
            state: "Running".into(),
            events: None,
            health: Some(machine::ServiceHealth { healthy: true, ..Default::default() }),
        },
        &[bytes(1, b"etcd"), bytes(2, b"Running"), bytes(4, &number(2, 1))],
    );
    check(
        &machine::Event {
            metadata: None,
            data: Some(prost_types::Any { type_url: "t".into(), value: vec![1] }),
            id: "i".into(),
            actor_id: "a".into(),
        },
        &[bytes(2, &[bytes(1, b"t"), bytes(2, &[1])].concat()), bytes(3, b"i"), bytes(4, b"a")],
    );
}

#[test]
fn resources_and_watches() {
    check(
        &cosi::resource::WatchRequest {
            namespace: "network".into(),
            r#type: "T".into(),
            id: Some(String::new()),
            options: Some(cosi::resource::WatchOptions {
                bootstrap_contents: true,
                tail_events: 3,
                aggregated: true,
                start_from_bookmark: Some(vec![9]),
                bootstrap_bookmark: true,
                ..Default::default()
            }),
            api_version: 1,
        },
        &[
            bytes(1, b"network"),
            bytes(2, b"T"),
            // An id that is empty is there nevertheless.
            bytes(3, b""),
            bytes(
                4,
                &[number(1, 1), number(2, 3), number(5, 1), bytes(6, &[9]), number(7, 1)].concat(),
            ),
            number(5, 1),
        ],
    );
    check(
        &cosi::resource::LabelTerm {
            key: "k".into(),
            op: cosi::resource::label_term::Operation::In.into(),
            value: vec!["a".into(), "b".into()],
            invert: true,
        },
        &[bytes(1, b"k"), number(2, 3), bytes(3, b"a"), bytes(3, b"b"), number(5, 1)],
    );
}
