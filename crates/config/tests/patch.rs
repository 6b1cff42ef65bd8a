//! Patches: every merge rule, deletion, JSON operations.

use config::patch;

fn run(config: &str, patches: &[&str]) -> Result<String, String> {
    let patches: Result<Vec<_>, _> = patches.iter().map(|p| patch::load(p.as_bytes())).collect();
    let patches = patches.map_err(|error| error.to_string())?;
    let bytes = patch::apply(config.as_bytes(), &patches).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

#[track_caller]
fn check(config: &str, patch: &str, want: &str) {
    assert_eq!(run(config, &[patch]).as_deref(), Ok(want));
}

#[track_caller]
fn refused(config: &str, patch: &str, want: &str) {
    assert_eq!(run(config, &[patch]), Err(want.to_owned()));
}

const BASE: &str = "version: v1alpha1\nmachine:\n    type: worker\n    token: \"\"\n    certSANs: []\ncluster: null\n";

fn machine(fields: &str) -> String {
    format!(
        "version: v1alpha1\nmachine:\n    type: worker\n    token: t\n    certSANs: []\n{fields}cluster: null\n"
    )
}

fn cluster(fields: &str) -> String {
    format!("version: v1alpha1\nmachine: null\ncluster:\n{fields}")
}

#[test]
fn without_patches_the_text_stays() {
    let text = "# comment\nmachine:   {type: worker}\n";
    assert_eq!(run(text, &[]).as_deref(), Ok(text));
}

#[test]
fn nullable_scalars_take_false() {
    let base = machine("    time:\n        disabled: true\n");
    check(
        &base,
        "machine: {time: {disabled: false}}",
        &machine("    time:\n        disabled: false\n"),
    );
}

#[test]
fn plain_scalars_ignore_zero() {
    check(&machine(""), "machine: {token: \"\"}", &machine(""));
}

#[test]
fn plain_bools_are_always_taken() {
    let volumes = |readonly: &str| {
        cluster(&format!(
            "    apiServer:\n        extraVolumes:\n            - hostPath: /a\n              mountPath: /b\n{readonly}"
        ))
    };
    // A list is appended, so only a struct that exists on both sides shows the rule.
    let one = volumes("              readonly: true\n");
    check(
        &one,
        "cluster: {apiServer: {image: x}}",
        &one.replace("apiServer:\n", "apiServer:\n        image: x\n"),
    );
}

#[test]
fn lists_append_without_deduplication() {
    let base = BASE.replace("certSANs: []", "certSANs:\n        - a");
    check(
        &base,
        "machine: {certSANs: [a, b]}",
        &BASE.replace("certSANs: []", "certSANs:\n        - a\n        - a\n        - b"),
    );
    check(&base, "machine: {certSANs: []}", &base);
}

#[test]
fn replace_lists() {
    let network = |pods: &str| {
        cluster(&format!(
            "    network:\n        dnsDomain: \"\"\n        podSubnets:{pods}\n        serviceSubnets: []\n"
        ))
    };
    let base = network("\n            - 10.0.0.0/8");
    check(
        &base,
        "cluster: {network: {podSubnets: [fd00::/56]}}",
        &network("\n            - fd00::/56"),
    );
    check(&base, "cluster: {network: {podSubnets: []}}", &network(" []"));
    check(&base, "cluster: {network: {serviceSubnets: []}}", &base);
}

#[test]
fn keyed_lists() {
    let base = machine(
        "    network:\n        interfaces:\n            - interface: eth0\n              addresses:\n                - 10.0.0.1/8\n              vlans:\n                - routes: []\n                  vlanId: 5\n",
    );
    check(
        &base,
        "machine: {network: {interfaces: [{interface: eth0, addresses: [10.0.0.2/8], vlans: [{vlanId: 5, mtu: 9}, {vlanId: 6}]}, {interface: eth1}]}}",
        &machine(
            "    network:\n        interfaces:\n            - interface: eth0\n              addresses:\n                - 10.0.0.1/8\n                - 10.0.0.2/8\n              vlans:\n                - routes: []\n                  vlanId: 5\n                  mtu: 9\n                - routes: []\n                  vlanId: 6\n            - interface: eth1\n",
        ),
    );
}

#[test]
fn device_selectors_with_physical_never_match() {
    let base = machine(
        "    network:\n        interfaces:\n            - deviceSelector:\n                physical: true\n",
    );
    let twice = machine(
        "    network:\n        interfaces:\n            - deviceSelector:\n                physical: true\n            - deviceSelector:\n                physical: true\n",
    );
    check(&base, "machine: {network: {interfaces: [{deviceSelector: {physical: true}}]}}", &twice);
    let base = machine(
        "    network:\n        interfaces:\n            - deviceSelector:\n                driver: virtio\n",
    );
    let merged = machine(
        "    network:\n        interfaces:\n            - deviceSelector:\n                driver: virtio\n              mtu: 9000\n",
    );
    check(
        &base,
        "machine: {network: {interfaces: [{deviceSelector: {driver: virtio}, mtu: 9000}]}}",
        &merged,
    );
}

#[test]
fn admission_plugins_by_name() {
    let base = cluster(
        "    apiServer:\n        admissionControl:\n            - name: A\n              configuration:\n                list:\n                    - 1\n",
    );
    check(
        &base,
        "cluster: {apiServer: {admissionControl: [{name: A, configuration: {list: [2]}}]}}",
        &cluster(
            "    apiServer:\n        admissionControl:\n            - name: A\n              configuration:\n                list:\n                    - 1\n                    - 2\n",
        ),
    );
}

#[test]
fn base64_pairs_are_replaced_whole() {
    let base = machine("    ca:\n        crt: YQ==\n        key: Yg==\n");
    let base = base.replace(
        "    certSANs: []\n    ca:\n        crt: YQ==\n        key: Yg==\n",
        "    ca:\n        crt: YQ==\n        key: Yg==\n    certSANs: []\n",
    );
    check(
        &base,
        "machine: {ca: {crt: Yw==}}",
        &base.replace("YQ==", "Yw==").replace("key: Yg==", "key: \"\""),
    );
}

#[test]
fn maps_merge_by_key_but_never_blank_a_value() {
    let base = machine("    sysctls:\n        a: \"1\"\n        b: \"2\"\n");
    check(
        &base,
        "machine: {sysctls: {a: \"\", b: \"3\", c: \"4\"}}",
        &machine("    sysctls:\n        a: \"1\"\n        b: \"3\"\n        c: \"4\"\n"),
    );
}

#[test]
fn free_maps_merge_deeply() {
    let base = machine(
        "    kubelet:\n        extraConfig:\n            a:\n                b: 1\n            l:\n                - 1\n            n: null\n",
    );
    check(
        &base,
        "machine: {kubelet: {extraConfig: {a: {c: 2}, l: [2], n: {x: 1}}}}",
        &machine(
            "    kubelet:\n        extraConfig:\n            a:\n                b: 1\n                c: 2\n            l:\n                - 1\n                - 2\n            \"n\":\n                x: 1\n",
        ),
    );
    refused(
        &base,
        "machine: {kubelet: {extraConfig: {a: text}}}",
        "merge type mismatch at machine.kubelet.extraConfig.a: left is a mapping, right is a string",
    );
}

#[test]
fn extra_args_are_replaced_by_key() {
    let base = machine(
        "    kubelet:\n        extraArgs:\n            a:\n                - \"1\"\n            b: x\n",
    );
    check(
        &base,
        "machine: {kubelet: {extraArgs: {a: [\"2\"], c: z}}}",
        &machine(
            "    kubelet:\n        extraArgs:\n            a:\n                - \"2\"\n            b: x\n            c: z\n",
        ),
    );
}

#[test]
fn urls_merge_by_component() {
    let base = cluster("    controlPlane:\n        endpoint: https://127.0.0.1:6643/\n");
    check(
        &base,
        "cluster: {controlPlane: {endpoint: https://10.0.0.1}}",
        &cluster("    controlPlane:\n        endpoint: https://10.0.0.1/\n"),
    );
}

fn volume(provisioning: &str) -> String {
    format!(
        "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning:\n{provisioning}"
    )
}

#[test]
fn expressions_and_sizes_are_taken_even_when_unset() {
    let base = volume(
        "    diskSelector:\n        match: system_disk\n    minSize: 1GiB\n    maxSize: 2GiB\n",
    );
    check(
        &base,
        "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {grow: true}",
        &volume("    grow: true\n    maxSize: 2GiB\n"),
    );
    check(
        &base,
        "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nmount: {secure: false}",
        &(volume("    maxSize: 2GiB\n") + "mount:\n    secure: false\n"),
    );
}

#[test]
fn documents_match_by_identity_or_are_appended() {
    let base = "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\nmtu: 1500\n";
    check(
        base,
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\nmtu: 9000\n---\napiVersion: v1alpha1\nkind: LinkConfig\nname: eth1\n---\nversion: v1alpha1\nmachine: {type: worker, token: t}\n",
        &(machine("")
            + "---\n"
            + &base.replace("1500", "9000")
            + "---\napiVersion: v1alpha1\nkind: LinkConfig\nname: eth1\n"),
    );
    refused(
        base,
        "apiVersion: v1alpha1\nkind: BondConfig\nname: eth0\n",
        "conflicting documents: LinkConfig/eth0 and BondConfig/eth0",
    );
}

#[test]
fn a_document_may_come_twice_in_a_patch() {
    let base =
        "apiVersion: v1alpha1\nkind: StaticHostConfig\nname: 10.0.0.1\nhostnames:\n    - a\n";
    check(
        base,
        "apiVersion: v1alpha1\nkind: StaticHostConfig\nname: 10.0.0.1\nhostnames: {$patch: delete}\n---\napiVersion: v1alpha1\nkind: StaticHostConfig\nname: 10.0.0.1\nhostnames: [b]\n",
        &base.replace("- a", "- b"),
    );
}

#[test]
fn verifier_rules_are_replaced_in_place() {
    let base = "apiVersion: v1alpha1\nkind: ImageVerificationConfig\nrules:\n    - image: a/*\n      skip: true\n    - image: b/*\n      deny: true\n";
    check(
        base,
        "apiVersion: v1alpha1\nkind: ImageVerificationConfig\nrules: [{image: a/*, deny: true}]\n",
        &base.replace("a/*\n      skip: true", "a/*\n      deny: true"),
    );
}

#[test]
fn accept_cannot_override_block() {
    let base = "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: block\n";
    check(base, "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: accept\n", base);
}

#[test]
fn deleting_documents() {
    let base = format!("{}---\napiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\n", machine(""));
    check(
        &base,
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\n$patch: delete\n",
        &machine(""),
    );
    check(&base, "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth9\n$patch: delete\n", &base);
    refused(
        &base,
        "version: v1alpha1\n$patch: delete\n",
        "error decoding document // (line 1): missing apiVersion",
    );
}

#[test]
fn deleting_fields() {
    let base = machine(
        "    network:\n        hostname: host\n        nameservers:\n            - 1.1.1.1\n    sysctls:\n        a: \"1\"\n        b: \"2\"\n",
    );
    check(
        &base,
        "machine: {network: {hostname: {$patch: delete}, nameservers: {$patch: delete}}, sysctls: {a: {$patch: delete}}}",
        &machine("    network: {}\n    sysctls:\n        b: \"2\"\n"),
    );
    refused(
        &machine(""),
        "machine: {network: {hostname: {$patch: delete}}}",
        "patch delete: path 'machine.network.hostname' in document '/v1alpha1': failed to delete path 'machine.network.hostname': lookup failed",
    );
    refused(
        &base,
        "machine: {sysctls: {z: {$patch: delete}}}",
        "patch delete: path 'machine.sysctls.z' in document '/v1alpha1': failed to delete path 'machine.sysctls.z': lookup failed",
    );
    refused(
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\n",
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\nbad: {$patch: delete}\n",
        "named patch delete: patch delete: path 'bad' in document 'v1alpha1/LinkConfig/eth0': failed to delete path 'bad': lookup failed",
    );
    // A field that is already unset can be deleted.
    check(&base, "machine: {time: {$patch: delete}}", &base);
}

#[test]
fn deleting_list_items() {
    let base = machine(
        "    network:\n        interfaces:\n            - interface: eth0\n            - interface: eth1\n",
    );
    check(
        &base,
        "machine: {network: {interfaces: [{interface: eth0, $patch: delete}]}}",
        &machine("    network:\n        interfaces:\n            - interface: eth1\n"),
    );
    refused(
        &base,
        "machine: {network: {interfaces: [{interface: eth0, mtu: {$patch: delete}}]}}",
        "cannot delete an inner key in 'machine.network.interfaces'",
    );
    refused(
        &base,
        "machine: {certSANs: [{x: a, $patch: delete}]}",
        "patch delete: path 'machine.certSANs[x=a]' in document '/v1alpha1': failed to delete path 'machine.certSANs[x=a]': lookup failed",
    );
}

#[test]
fn a_delete_for_a_missing_document_leaves_an_empty_one() {
    check(
        &machine(""),
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\nmtu: {$patch: delete}\n",
        &(machine("") + "---\napiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\n"),
    );
}

#[test]
fn unknown_keys_of_a_patch() {
    refused(
        BASE,
        "machine:\n  nettwork: {}\n  time:\n    foo: [1]\n",
        "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nmachine:\n    nettwork: {}\n    time:\n        foo:\n            - 1\n",
    );
}

#[test]
fn json_patches() {
    let json = r#"[{"op": "replace", "path": "/machine/type", "value": "controlplane"}]"#;
    let want = "cluster: null\nmachine:\n  certSANs: []\n  token: \"\"\n  type: controlplane\nversion: v1alpha1\n";
    check(BASE, json, want);
    check(BASE, "- op: replace\n  path: /machine/type\n  value: controlplane\n", want);
    let two = format!("{BASE}---\napiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\n");
    refused(
        &two,
        json,
        "JSON6902 patches are not supported for multi-document machine configuration",
    );
    // A JSON object is a strategic patch.
    check(
        BASE,
        r#"{"machine": {"type": "controlplane"}}"#,
        &BASE.replace("worker", "controlplane"),
    );
}

#[test]
fn which_arguments_name_files() {
    assert_eq!(patch::reference("@patch.yaml"), Some("patch.yaml"));
    assert_eq!(patch::reference("patch.yaml"), Some("patch.yaml"));
    assert_eq!(patch::reference("machine: {}"), None);
    assert_eq!(patch::reference("[]"), None);
    assert_eq!(patch::reference("{\"a\":1}"), None);
}
