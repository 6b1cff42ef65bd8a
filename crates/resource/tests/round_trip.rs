//! Every spec survives its wire form, whatever is in it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use resource::{AnySpec, DEFINITIONS, Definition, EXTENSIONS};

fn varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn number(field: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(field) << 3, &mut out);
    varint(value, &mut out);
    out
}

fn double(field: u32, value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(field) << 3 | 1, &mut out);
    out.extend(value.to_le_bytes());
    out
}

fn bytes(field: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(field) << 3 | 2, &mut out);
    varint(value.len() as u64, &mut out);
    out.extend_from_slice(value);
    out
}

/// Values of which one fits any type of field that there is.
fn samples(field: u32) -> Vec<Vec<u8>> {
    let prefix = [bytes(1, &[10, 5, 0, 2]), number(2, 24)].concat();
    let entry = [bytes(1, b"key"), bytes(2, b"value")].concat();
    let object = bytes(1, &[bytes(1, b"key"), bytes(2, &bytes(3, b"value"))].concat());
    vec![
        number(field, 1),
        number(field, 300),
        number(field, u64::MAX),
        double(field, -1.5),
        bytes(field, b"text"),
        bytes(field, b""),
        bytes(field, &prefix),
        bytes(field, &entry),
        bytes(field, &object),
        bytes(field, &[number(1, 5), number(2, 6)].concat()),
    ]
}

/// Every field's values that the type accepts and that leave something in it.
fn accepted(definition: &Definition) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    for field in 1..=40 {
        values.extend(samples(field));
        // A field that takes neither a number nor a text holds a message with fields of its own.
        let refuses = |value: Vec<u8>| (definition.decode)(&value).is_err();
        if refuses(number(field, 1)) && refuses(bytes(field, b"text")) {
            let inner = (1..=30).flat_map(samples);
            values.extend(inner.map(|value| bytes(field, &value)));
        }
    }
    let fits = |value: &Vec<u8>| {
        (definition.decode)(value).is_ok_and(|spec: Arc<dyn AnySpec>| !spec.proto().is_empty())
    };
    values.retain(fits);
    values
}

/// A type, and encodings that it takes.
type Accepted = (&'static Definition, Vec<Vec<u8>>);

static ALL: LazyLock<Vec<Accepted>> = LazyLock::new(|| {
    DEFINITIONS.iter().chain(EXTENSIONS).map(|found| (found, accepted(found))).collect()
});

fn check(definition: &Definition, wire: &[u8]) {
    let spec = (definition.decode)(wire).unwrap();
    let encoded = spec.proto();
    let again = (definition.decode)(&encoded).unwrap();
    assert!(spec.equals(&*again), "{}: {spec:?} is not {again:?}", definition.type_name);
    assert_eq!(again.proto(), encoded, "{}", definition.type_name);
    assert_eq!(again.yaml(), spec.yaml(), "{}", definition.type_name);
}

#[test]
fn every_field_alone_survives() {
    for (definition, values) in &*ALL {
        for value in values {
            check(definition, value);
        }
    }
}

#[test]
fn the_samples_reach_every_spec_that_has_fields() {
    let empty: Vec<&str> = ALL
        .iter()
        .filter(|(_, values)| values.is_empty())
        .map(|(definition, _)| definition.type_name)
        .collect();
    assert_eq!(
        empty,
        [
            "VolumeLifecycles.block.talos.dev",
            "PCRStatuses.hardware.talos.dev",
            "KubeletLifecycles.kubernetes.talos.dev",
            "NodeCordonedSpecs.k8s.talos.dev",
            "DNSUpstreams.net.talos.dev",
            "MaintenanceServiceRequests.runtime.talos.dev",
            "MachineResetSignals.runtime.talos.dev",
            "RebootRequests.runtime.talos.dev",
            "AcquireConfigSpecs.v1alpha1.talos.dev",
            "AcquireConfigStatuses.v1alpha1.talos.dev",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_of_fields_survives(picks in prop::collection::vec(any::<prop::sample::Index>(), 1..20)) {
        for (definition, values) in ALL.iter().filter(|(_, values)| !values.is_empty()) {
            let wire: Vec<u8> = picks.iter().flat_map(|pick| pick.get(values).clone()).collect();
            check(definition, &wire);
        }
    }

    #[test]
    fn any_bytes_are_a_spec_or_an_error(wire in prop::collection::vec(any::<u8>(), 0..200)) {
        for definition in DEFINITIONS {
            if let Ok(spec) = (definition.decode)(&wire) {
                prop_assert!((definition.decode)(&spec.proto()).is_ok());
                spec.yaml();
            }
        }
    }
}
