//! Validation: the form of messages, modes, and that what is right is accepted.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use config::catalog::KINDS;
use config::validate::{Mode, Options, Report, validate};

fn report(text: &str, options: Options) -> Report {
    let config = config::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    validate(&config, options)
}

fn metal() -> Options {
    Options::local(Mode::Metal)
}

#[track_caller]
fn errors(text: &str, options: Options, want: &[&str]) {
    let report = report(text, options);
    let found: Vec<&str> =
        report.errors().map(|located| located.finding.message.as_str()).collect();
    assert_eq!(found, want);
}

#[test]
fn examples_are_valid() {
    let mut bad = Vec::new();
    for info in KINDS {
        // A document alone belongs to a worker; only the checks of the document count here.
        let config = config::load(info.example.as_bytes()).expect("loads");
        let mut findings = config::finding::Findings::default();
        for document in config.all() {
            document.validate(&mut findings);
        }
        bad.extend(findings.errors().map(|finding| format!("{}: {}", info.kind, finding.message)));
    }
    let legacy = report(config::v1alpha1::EXAMPLE, metal());
    bad.extend(legacy.errors().map(|located| located.finding.message.clone()));
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

const WORKER: &str = "version: v1alpha1\nmachine:\n    type: worker\n    token: t\n    ca: {crt: YQ==, key: \"\"}\ncluster: {}\n";

#[test]
fn form_of_the_message() {
    assert!(report(WORKER, metal()).is_valid());
    let text = format!(
        "{WORKER}persist: false\n---\napiVersion: v1alpha1\nkind: LinkAliasConfig\nname: \"%d\"\nselector: {{}}\n---\napiVersion: v1alpha1\nkind: HostnameConfig\n---\napiVersion: v1alpha1\nkind: KubeProxyConfig\nimage: x\n---\napiVersion: v1alpha1\nkind: KubeCoreDNSConfig\n"
    );
    assert_eq!(
        report(&text, metal()).message,
        "4 errors occurred:\n\t* v1alpha1.Config: 1 error occurred:\n\t* .persist should be enabled\n\n\n\t* LinkAliasConfig/%d: name \"%d\" needs something before %d\nselector.match must be specified\n\t* HostnameConfig: either 'auto' or 'hostname' must be set\n\t* documents are only allowed on control plane machines: KubeCoreDNSConfig, KubeProxyConfig\n\n"
    );
}

#[test]
fn strict_makes_errors_of_v1alpha1_warnings() {
    let text = WORKER.replace("worker", "join")
        + "---\napiVersion: v1alpha1\nkind: ImageVerificationConfig\nrules: [{image: x, skip: true}]\n";
    let loose = report(&text, metal());
    assert!(loose.is_valid());
    let warnings: Vec<&str> = loose.warnings().collect();
    assert_eq!(
        warnings,
        [
            "use \"worker\" instead of \"join\" for machine type",
            "rules[0]: image pattern \"x\" has no '/', it matches no full image name"
        ]
    );
    let strict = report(&text, Options { strict: true, ..metal() });
    assert_eq!(
        strict.message,
        "1 error occurred:\n\t* v1alpha1.Config: 1 error occurred:\n\t* warning: use \"worker\" instead of \"join\" for machine type\n\n\n\n"
    );
    assert_eq!(strict.warnings().count(), 1);
}

#[test]
fn missing_sections() {
    errors(
        "version: v1alpha1\nmachine: null\ncluster: {}\n",
        metal(),
        &["machine instructions required"],
    );
    errors(
        "version: v1alpha1\nmachine: {type: worker, ca: {crt: YQ==}}\n",
        metal(),
        &["cluster instructions required"],
    );
}

#[test]
fn only_metal_checks_the_installation() {
    let text = WORKER.replace("    token", "    install: {image: x}\n    token");
    errors(&text, metal(), &["either install disk or diskSelector should be defined"]);
    errors(&text, Options::local(Mode::Cloud), &[]);
}

#[test]
fn containers_need_the_local_name_server() {
    errors(
        WORKER,
        Options::local(Mode::Container),
        &["hostDNS config is required in container mode and must be enabled"],
    );
    let dns = format!(
        "{WORKER}---\napiVersion: v1alpha1\nkind: ResolverConfig\nhostDNS: {{enabled: true, forwardKubeDNSToHost: true}}\n"
    );
    errors(&dns, Options::local(Mode::Container), &[]);
}

#[test]
fn a_key_of_the_cluster_on_a_worker_is_reported_twice() {
    let text = WORKER.replace("cluster: {}", "cluster: {ca: {crt: YQ==, key: YQ==}}");
    let message = "cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)";
    errors(&text, metal(), &[message, message]);
}

#[test]
fn conflicts_with_v1alpha1() {
    let text = WORKER.replace(
        "    token",
        "    kubelet: {}\n    network: {hostname: a, searchDomains: []}\n    token",
    ) + "---\napiVersion: v1alpha1\nkind: KubeletConfig\nimage: x\n---\napiVersion: v1alpha1\nkind: HostnameConfig\nhostname: b\n---\napiVersion: v1alpha1\nkind: ResolverConfig\n";
    errors(
        &text,
        metal(),
        &[
            "KubeletConfig conflicts with .machine.kubelet of the v1alpha1 document: keep one of them",
            "HostnameConfig conflicts with .machine.network.hostname of the v1alpha1 document: keep one of them",
            "ResolverConfig conflicts with .machine.network.searchDomains of the v1alpha1 document: keep one of them",
        ],
    );
}

#[test]
fn container_dependencies() {
    let document = |name: &str, on: &str| {
        format!(
            "---\napiVersion: v1alpha1\nkind: ContainerConfig\nname: {name}\nimage: x@sha256:0\ndependsOn: {{containers: [{on}]}}\n"
        )
    };
    let text = document("a", "b") + &document("b", "c") + &document("c", "a, z");
    errors(
        &text,
        metal(),
        &[
            "container \"c\" depends on unknown container \"z\"",
            "container dependency cycle: a -> b -> c -> a",
        ],
    );
}

#[test]
fn kubernetes_versions_are_checked_on_nodes() {
    let text = format!(
        "{WORKER}---\napiVersion: v1alpha1\nkind: KubeletConfig\nimage: ghcr.io/siderolabs/kubelet:v1.20.0\n"
    );
    errors(&text, metal(), &[]);
    errors(
        &text,
        Options { local: false, ..metal() },
        &["version of Kubernetes 1.20.0 is too old to be used: this release runs 1.32 to 1.37"],
    );
}

#[test]
fn protected_kubelet_fields() {
    let text = format!(
        "{WORKER}---\napiVersion: v1alpha1\nkind: KubeletConfig\nimage: x\nconfig: {{port: 1, maxPods: 2}}\n"
    );
    errors(&text, metal(), &["kubelet configuration field \"port\" can't be overridden"]);
}

#[test]
fn expressions_are_checked() {
    let text = "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: a\nprovisioning: {diskSelector: {match: disk.sze > 1u}, maxSize: 1GiB}\n";
    errors(
        text,
        metal(),
        &[
            "provisioning.diskSelector.match is invalid: ERROR: <input>:1:5: undefined field 'sze'\n | disk.sze > 1u\n | ....^",
        ],
    );
    let text = "apiVersion: v1alpha1\nkind: UnattendedInstallConfig\ninstaller: {image: x}\n";
    errors(text, metal(), &["provisioning.volumeSelector.match must be specified"]);
}
