//! Loading: what is accepted, and the words in which the rest is refused.

#[track_caller]
fn refused(text: &str, want: &str) {
    match config::load(text.as_bytes()) {
        Ok(config) => panic!("loaded:\n{}", config.encode()),
        Err(errors) => assert_eq!(errors.to_string(), want),
    }
}

#[track_caller]
fn encodes(text: &str, want: &str) {
    let config = config::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.encode(), want);
    assert_eq!(&*config.bytes(), text.as_bytes(), "the text is kept until it is patched");
}

#[test]
fn streams() {
    refused("", "config not found");
    refused("---\n---\nnull\n", "config not found");
    refused("- a\n", "expected a YAML document at line 1");
    refused("---\ntext\n", "expected a YAML document at line 2");
    encodes(
        "---\nnull\n---\n# comment\napiVersion: v1alpha1\nkind: KubePrismConfig\nport: 1 # a\n",
        "apiVersion: v1alpha1\nkind: KubePrismConfig\nport: 1\n",
    );
}

#[test]
fn headers() {
    refused("version: v1alpha1\n", "error decoding document // (line 1): missing kind");
    refused(
        "apiVersion: v1alpha1\nname: x\n",
        "error decoding document /v1alpha1/x (line 1): unknown keys found during decoding:\napiVersion: v1alpha1\nname: x\n",
    );
    refused(
        "kind: LinkConfig\nname: x\n",
        "error decoding document /LinkConfig/x (line 1): missing apiVersion",
    );
    refused(
        "apiversion: v1alpha1\nkind: LinkConfig\n",
        "error decoding document /LinkConfig/ (line 1): missing apiVersion",
    );
    refused(
        "apiVersion: v1alpha1\nkind: Linkconfig\n",
        "error decoding document v1alpha1/Linkconfig/ (line 1): \"Linkconfig\" \"v1alpha1\": not registered",
    );
    refused(
        "apiVersion: v1beta1\nkind: LinkConfig\nname: a\n",
        "error decoding document v1beta1/LinkConfig/a (line 1): \"LinkConfig\" \"v1beta1\": not registered",
    );
}

#[test]
fn unknown_keys_are_reported_together() {
    refused(
        "machine:\n  nettwork: {}\n",
        "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nmachine:\n    nettwork: {}\n",
    );
    refused(
        "zeta: 1\nmachine:\n  type: worker\n  network:\n    interfaces:\n      - interface: a\n      - interface: b\n        foo: [1, {x: y}]\n  acceptedCAs:\n    - crt: YQ==\n      key: YQ==\nalpha: {}\n",
        "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nalpha: {}\nmachine:\n    acceptedCAs:\n        - key: YQ==\n    network:\n        interfaces:\n            - foo:\n                - 1\n                - x: \"y\"\nzeta: 1\n",
    );
    refused(
        "---\napiVersion: v1alpha1\nkind: HostnameConfig\nhostnam: x\n",
        "error decoding document v1alpha1/HostnameConfig/ (line 2): unknown keys found during decoding:\nhostnam: x\n",
    );
}

#[test]
fn duplicates() {
    let link = "apiVersion: v1alpha1\nkind: LinkConfig\nname: a\n";
    refused(
        &format!("{link}---\n{link}"),
        "duplicate document v1alpha1/LinkConfig/a is not allowed (line 5)",
    );
    refused(
        "machine: {}\n---\nmachine: {}\n",
        "duplicate document /v1alpha1/ is not allowed (line 3)",
    );
    refused(
        "machine:\n  type: a\n  type: b\n",
        "error decoding document /v1alpha1/ (line 1): yaml: unmarshal errors:\n  line 3: mapping key \"type\" already defined at line 2",
    );
}

#[test]
fn conflicts() {
    let of =
        |kind: &str, more: &str| format!("apiVersion: v1alpha1\nkind: {kind}\nname: a\n{more}");
    for (first, second) in [
        ("LinkConfig", "BondConfig"),
        ("WireguardConfig", "VRFConfig"),
        ("UserVolumeConfig", "ExistingVolumeConfig"),
        ("Layer2VIPConfig", "HCloudVIPConfig"),
    ] {
        refused(
            &format!("{}---\n{}", of(first, ""), of(second, "")),
            &format!("conflicting documents: {first}/a and {second}/a"),
        );
    }
    refused(
        &format!(
            "{}---\napiVersion: v1alpha1\nkind: VethConfig\nname: b\npeer: {{name: a}}\n",
            of("DummyLinkConfig", "")
        ),
        "conflicting link configurations: DummyLinkConfig/a and VethConfig/b both configure \"a\"",
    );
}

#[test]
fn types() {
    refused(
        "machine:\n  type: [a]\n  features:\n    rbac: perhaps\n    kubePrism: {port: 1.5}\n  network: text that is long\n",
        "error decoding document /v1alpha1/ (line 1): yaml: unmarshal errors:\n  line 2: cannot unmarshal !!seq into string\n  line 4: cannot unmarshal !!str `perhaps` into bool\n  line 5: cannot unmarshal !!float `1.5` into int\n  line 6: cannot unmarshal !!str `text th...` into a mapping",
    );
    refused(
        "apiVersion: v1alpha1\nkind: FilesystemTrimConfig\ninterval: 10\n",
        "error decoding document v1alpha1/FilesystemTrimConfig/ (line 1): yaml: unmarshal errors:\n  line 3: time: missing unit in duration \"10\"",
    );
    refused(
        "machine:\n  kubelet:\n    extraArgs:\n      a: {b: c}\n",
        "error decoding document /v1alpha1/ (line 1): yaml: unmarshal errors:\n  line 4: value must be a string or list of strings",
    );
    refused(
        "a: [",
        "decode error: yaml: line 2: while parsing a node, did not find expected node content",
    );
}

#[test]
fn scalars() {
    encodes(
        "machine: {type: 7, token: true, files: [{content: x, permissions: 0644, path: /a, op: create}], features: {rbac: yes, kubePrism: {port: 0x1d15}}, time: {bootTimeout: 90s}, ca: {crt: YQ==, key: '******'}}\n",
        "version: \"\"\nmachine:\n    type: \"7\"\n    token: \"true\"\n    ca:\n        crt: YQ==\n        key: '******'\n    certSANs: []\n    files:\n        - content: x\n          permissions: 0o644\n          path: /a\n          op: create\n    time:\n        bootTimeout: 1m30s\n    features:\n        rbac: true\n        kubePrism:\n            port: 7445\ncluster: null\n",
    );
    encodes(
        "cluster: {inlineManifests: [{name: a, contents: \"\\n\\n\\tx\\ny\"}], discovery: {}}\n",
        "version: \"\"\nmachine: null\ncluster:\n    discovery:\n        registries:\n            kubernetes: {}\n            service: {}\n    inlineManifests:\n        - name: a\n          contents: |-\n            x\n            y\n",
    );
}

#[test]
fn the_v1alpha1_document_comes_first() {
    encodes(
        "apiVersion: v1alpha1\nkind: KubePrismConfig\nport: 1\n---\nversion: v1alpha1\nmachine: null\ncluster: null\n",
        "version: v1alpha1\nmachine: null\ncluster: null\n---\napiVersion: v1alpha1\nkind: KubePrismConfig\nport: 1\n",
    );
}

#[test]
fn legacy_fields_are_still_read() {
    // One configuration with fields that every release since 1.0 has written.
    let text = "version: v1alpha1\npersist: true\nmachine:\n  type: join\n  install: {disk: /dev/sda, bootloader: true, wipe: false}\n  network:\n    interfaces:\n      - interface: eth0\n        cidr: 10.0.0.1/8\ncluster:\n  aescbcEncryptionSecret: x\n  allowSchedulingOnMasters: true\n  apiServer: {disablePodSecurityPolicy: true}\n  proxy: {mode: ipvs}\n";
    assert!(config::load(text.as_bytes()).is_ok());
}

#[test]
fn hostile_input_ends_quickly() {
    let keys: Vec<String> = (0..200_000).map(|n| format!("k{n}: v")).collect();
    let many = format!("machine:\n  sysctls: {{{}}}\n", keys.join(", "));
    assert!(config::load(many.as_bytes()).is_ok());
    for bytes in
        [&b"\xff\xfe"[..], b"a: \0", b"\t", b"a: &a [*a]", b"%YAML 9.9\n---\n", b"? [a]: b"]
    {
        assert!(config::load(bytes).is_err());
    }
    let huge = vec![b'a'; 33 << 20];
    assert!(config::load(&huge).is_err_and(|e| e.to_string().contains("exceeds the limit")));
}
