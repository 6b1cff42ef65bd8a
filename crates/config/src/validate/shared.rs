//! Rules that several documents share: names, labels, taints, subnets, keys.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::finding::Findings;
use crate::scalar::{Prefix, Url};

/// Roles of the node API that pods may be given.
pub(crate) const ROLES: [&str; 7] = [
    "os:admin",
    "os:operator",
    "os:reader",
    "os:etcd:backup",
    "os:image:verifier",
    "os:meta:writer",
    "os:impersonator",
];

/// What is wrong with the endpoint of a cluster, if anything.
pub(crate) fn endpoint_problem(url: &Url) -> Option<String> {
    let host = url.hostname();
    if host.trim().is_empty() {
        return Some("the host must not be blank".to_owned());
    }
    if host.contains(':') && !url.host.starts_with('[') {
        return Some(format!("the IPv6 address {host:?} must stand in square brackets"));
    }
    let port = url.port();
    if (url.host.ends_with(':') || !port.is_empty()) && !port.parse::<u16>().is_ok_and(|p| p > 0) {
        return Some(format!("the port {port:?} must be from 1 to 65535"));
    }
    None
}

/// Whether a text is a DNS name: labels of letters, digits, dashes and underscores.
pub(crate) fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 255 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// Whether a text is a DNS-1123 subdomain.
pub(crate) fn is_dns1123_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && edge(bytes.first())
            && edge(bytes.last())
    };
    (1..=253).contains(&text.len()) && text.split('.').all(label)
}

/// What is wrong with a name of Kubernetes' qualified form, if anything.
pub(crate) fn qualified_name_problem(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(prefix) = prefix
        && !is_dns1123_subdomain(prefix)
    {
        return Some(format!(
            "prefix {prefix:?} must be a DNS subdomain of at most 253 characters"
        ));
    }
    if is_word(name, 63) {
        return None;
    }
    Some(format!(
        "name {name:?} must be 1 to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or a digit"
    ))
}

/// Letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn is_word(text: &str, most: usize) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    (1..=most).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && edge(bytes.first())
        && edge(bytes.last())
}

/// Checks the labels of a node.
pub(crate) fn labels(labels: &BTreeMap<String, String>, path: &str, findings: &mut Findings) {
    for (key, value) in labels {
        if let Some(problem) = qualified_name_problem(key) {
            findings.error(path, format!("invalid label key {key:?}: {problem}"));
        }
        if !value.is_empty() && !is_word(value, 63) {
            findings.error(
                path,
                format!("invalid label value {value:?} of {key:?}: must be at most 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or a digit"),
            );
        }
    }
}

/// Annotations in which the system keeps what it owns.
const RESERVED: [&str; 3] =
    ["talos.dev/owned-annotations", "talos.dev/owned-labels", "talos.dev/owned-taints"];

/// Checks the annotations of a node.
pub(crate) fn annotations(
    annotations: &BTreeMap<String, String>,
    path: &str,
    findings: &mut Findings,
) {
    let mut total = 0;
    for (key, value) in annotations {
        if RESERVED.contains(&key.as_str()) {
            findings.error(path, format!("annotation {key:?} is reserved for the system"));
        }
        // The prefix of an annotation may have upper-case letters.
        if let Some(problem) = qualified_name_problem(&key.to_lowercase()) {
            findings.error(path, format!("invalid annotation key {key:?}: {problem}"));
        }
        total += key.len() + value.len();
    }
    if total > 256 << 10 {
        findings
            .error(path, format!("annotations of {total} bytes exceed the limit of 262144 bytes"));
    }
}

/// Checks the taints of a node.
pub(crate) fn taints(taints: &BTreeMap<String, String>, path: &str, findings: &mut Findings) {
    for (key, text) in taints {
        if let Some(problem) = qualified_name_problem(key) {
            findings.error(path, format!("invalid taint key {key:?}: {problem}"));
        }
        let (value, effect) = text.split_once(':').unwrap_or(("", text));
        if !value.is_empty() && !is_word(value, 63) {
            findings.error(path, format!("invalid taint value {value:?} of {key:?}"));
        }
        if !matches!(effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
            findings.error(
                path,
                format!("invalid taint effect {effect:?} of {key:?}: want NoSchedule, PreferNoSchedule or NoExecute"),
            );
        }
    }
}

/// Whether a text is a prefix or an address, after a leading `!`.
pub(crate) fn is_subnet_filter(text: &str) -> bool {
    let text = text.strip_prefix('!').unwrap_or(text);
    !text.is_empty() && (text.parse::<Prefix>().is_ok() || text.parse::<IpAddr>().is_ok())
}

/// Whether a text is a prefix, after a leading `!`.
pub(crate) fn is_prefix_filter(text: &str) -> bool {
    let text = text.strip_prefix('!').unwrap_or(text);
    text.parse::<Prefix>().is_ok_and(|prefix| !prefix.is_unset())
}

/// Whether a text is `host:port` with a port.
pub(crate) fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    (bracketed || !host.contains(':')) && port.parse::<u16>().is_ok()
}

/// Whether a text is standard base64 of 32 bytes.
pub(crate) fn is_key(text: &str) -> bool {
    crate::scalar::Base64::parse(text).is_some_and(|bytes| bytes.len() == 32)
}

/// Keys of the kubelet configuration that belong to the system.
const PROTECTED: [&str; 13] = [
    "apiVersion",
    "authentication",
    "authorization",
    "cgroupRoot",
    "kind",
    "kubeletCgroups",
    "port",
    "protectKernelDefaults",
    "resolvConf",
    "rotateCertificates",
    "systemCgroups",
    "staticPodPath",
    "seccompDefault",
];

/// Checks changes to the kubelet configuration.
pub(crate) fn kubelet_config(config: &crate::Free, path: &str, findings: &mut Findings) {
    for key in PROTECTED.iter().filter(|key| config.entry(key).is_some()) {
        findings.error(
            &format!("{path}.{key}"),
            format!("kubelet configuration field {key:?} can't be overridden"),
        );
    }
}

/// Checks processor and memory of a pod.
pub(crate) fn resources(
    resources: Option<&crate::v1alpha1::Resources>,
    path: &str,
    findings: &mut Findings,
) {
    let Some(resources) = resources else { return };
    for (part, free) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        for (key, _) in free.entries() {
            if !matches!(key.as_str(), "cpu" | "memory") {
                findings.error(
                    &format!("{path}.{part}.{key}"),
                    format!("unsupported pod resource {key:?}"),
                );
            }
        }
    }
}

/// Checks that the tag of a Kubernetes image is a version that this release runs.
pub(crate) fn kubernetes_image(image: &str, path: &str, findings: &mut Findings) {
    if findings.local || image.is_empty() {
        return;
    }
    let Some((_, tag)) = image.rsplit_once(":v") else { return };
    let version = tag.split('@').next().unwrap_or_default();
    let mut numbers = version.split(['.', '-']);
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return };
    let (Ok(major), Ok(minor)) = (major.parse::<u64>(), minor.parse::<u64>()) else { return };
    let supported = crate::defaults::SUPPORTED_KUBERNETES;
    let (low, high) = (*supported.start(), *supported.end());
    if (major, minor) < (1, low) {
        findings.error(path, format!("version of Kubernetes {version} is too old to be used: this release runs 1.{low} to 1.{high}"));
    } else if (major, minor) > (1, high) {
        findings.error(path, format!("version of Kubernetes {version} is too new to be used: this release runs 1.{low} to 1.{high}"));
    }
}

/// The label of a PEM block and its bytes, when the text is one block or begins with one.
pub(crate) fn pem(text: &str) -> Option<(&str, Vec<u8>)> {
    let text = text.trim_start();
    let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let digits: String = body.split_whitespace().collect();
    Some((label, crate::scalar::Base64::parse(&digits)?))
}

/// Whether bytes are one DER sequence of exactly their length.
fn is_der_sequence(bytes: &[u8]) -> bool {
    let [0x30, first, rest @ ..] = bytes else { return false };
    let (length, header) = match *first {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let count = usize::from(long & 0x7f);
            let Some(digits) = rest.get(..count).filter(|_| (1..=4).contains(&count)) else {
                return false;
            };
            (digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)), 2 + count)
        }
    };
    bytes.len() == header + length
}

/// Whether a text is a certificate in PEM.
pub(crate) fn is_certificate(text: &str) -> bool {
    pem(text).is_some_and(|(label, bytes)| label == "CERTIFICATE" && is_der_sequence(&bytes))
}

/// Whether a text is a private key in PEM.
pub(crate) fn is_private_key(text: &str) -> bool {
    pem(text).is_some_and(|(label, bytes)| {
        matches!(
            label,
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "ED25519 PRIVATE KEY" | "PRIVATE KEY"
        ) && is_der_sequence(&bytes)
    })
}
