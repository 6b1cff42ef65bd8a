//! Taking over the PKI of a cluster that other tools made: directories as kubeadm and administrators have them, made with OpenSSL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn run(directory: &Path, program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).current_dir(directory).output().expect("it starts")
}

fn openssl(directory: &Path, arguments: &str) {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let output = run(directory, "openssl", &arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn ichorctl(directory: &Path, arguments: &str) -> Output {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    run(directory, env!("CARGO_BIN_EXE_ichorctl"), &arguments)
}

/// Forms in which private keys stand in such directories.
const KEYS: [(&str, &str); 5] = [
    // As kubeadm writes them.
    ("rsa", "genrsa -traditional -out KEY 2048"),
    ("rsa-pkcs8", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out KEY"),
    ("ec", "ecparam -name prime256v1 -genkey -noout -out KEY"),
    // Keys of `openssl ecparam` begin with a block of their parameters.
    ("ec-parameters", "ecparam -name prime256v1 -genkey -out KEY"),
    ("ec-pkcs8", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY"),
];

fn make(directory: &Path, key: &str) {
    fs::create_dir_all(directory.join("etcd")).unwrap();
    for (base, subject) in [
        ("ca", "/CN=kubernetes"),
        ("etcd/ca", "/CN=etcd-ca"),
        ("front-proxy-ca", "/CN=front-proxy-ca"),
    ] {
        openssl(directory, &key.replace("KEY", &format!("{base}.key")));
        openssl(
            directory,
            &format!("req -x509 -new -key {base}.key -subj {subject} -days 3650 -out {base}.crt"),
        );
    }
    openssl(directory, &key.replace("KEY", "sa.key"));
}

/// The value of a key of the bundle, such as `certs.k8s.crt`, decoded.
fn bundled(directory: &Path, path: &str) -> String {
    let bundle = fs::read(directory.join("secrets.yaml")).unwrap();
    let root = yaml::parse(&bundle).unwrap().remove(0).root.to_value();
    let value = path.split('.').fold(&root, |value, key| value.entry(key).expect(path));
    let text = value.as_str().expect(path).to_owned();
    if !path.starts_with("certs") {
        return text;
    }
    fs::write(directory.join("value.b64"), &text).unwrap();
    let decoded = run(directory, "base64", &["-d", "value.b64"]);
    String::from_utf8(decoded.stdout).unwrap()
}

#[test]
fn the_pki_of_another_cluster_is_taken_over() {
    for (form, key) in KEYS {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        make(&at.join("pki"), key);
        let output =
            ichorctl(at, "gen secrets --from-kubernetes-pki pki -t abcdef.0123456789abcdef");
        assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
        for (path, file) in [
            ("certs.k8s.crt", "ca.crt"),
            ("certs.k8s.key", "ca.key"),
            ("certs.etcd.crt", "etcd/ca.crt"),
            ("certs.etcd.key", "etcd/ca.key"),
            ("certs.k8saggregator.crt", "front-proxy-ca.crt"),
            ("certs.k8saggregator.key", "front-proxy-ca.key"),
            ("certs.k8sserviceaccount.key", "sa.key"),
        ] {
            let original = fs::read_to_string(at.join("pki").join(file)).unwrap();
            let end = "-----END EC PARAMETERS-----\n";
            let wanted = original.split_once(end).map_or(original.as_str(), |(_, key)| key);
            assert_eq!(bundled(at, path), wanted, "{form}: {path}");
        }
        assert_eq!(bundled(at, "secrets.bootstraptoken"), "abcdef.0123456789abcdef");
        // What such a directory does not have is new.
        assert_eq!(bundled(at, "secrets.secretboxencryptionsecret").len(), 44);

        let output = ichorctl(
            at,
            "gen config other https://10.5.0.2:6443 --with-secrets secrets.yaml --output made",
        );
        assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
        for name in ["controlplane", "worker"] {
            let output = ichorctl(at, &format!("validate -m metal -c made/{name}.yaml"));
            assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
        }
        // The other way round: the same bundle comes out of the configuration.
        let output = ichorctl(
            at,
            "gen secrets --from-controlplane-config made/controlplane.yaml -o again.yaml",
        );
        assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(
            fs::read_to_string(at.join("again.yaml")).unwrap(),
            fs::read_to_string(at.join("secrets.yaml")).unwrap(),
            "{form}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_pki_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    make(&at.join("pki"), KEYS[2].1);
    let refused = |want: &str| {
        let output = ichorctl(at, "gen secrets --from-kubernetes-pki pki");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{want}: {said}");
        assert!(said.contains(want), "{said} does not say {want:?}");
        assert!(!at.join("secrets.yaml").exists(), "{want}: nothing is written");
    };
    let original = fs::read(at.join("pki/sa.key")).unwrap();
    fs::remove_file(at.join("pki/sa.key")).unwrap();
    refused("pki/sa.key");
    fs::write(at.join("pki/sa.key"), "no key\n").unwrap();
    refused("k8sserviceaccount");
    fs::write(at.join("pki/sa.key"), original).unwrap();
    // The certificate of one authority with the key of another.
    fs::copy(at.join("pki/etcd/ca.key"), at.join("pki/ca.key")).unwrap();
    refused("pki/ca");
}
