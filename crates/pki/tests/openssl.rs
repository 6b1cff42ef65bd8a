//! What this crate writes, read by another implementation: the `openssl` program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    net::IpAddr,
    path::Path,
    process::{Command, Output},
};

use pki::{
    Algorithm, Authority, Certificate, ExtendedUsage, Identity, Leaf, PrivateKey, Request, Secrets,
    System, Validity,
};

fn openssl(directory: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the openssl program is installed (apt-get install openssl)")
}

fn text(directory: &Path, arguments: &[&str]) -> String {
    let output = openssl(directory, arguments);
    assert!(
        output.status.success(),
        "openssl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn now() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_secs()).unwrap()
}

fn authority(algorithm: Algorithm, organization: &str) -> Authority {
    let key = PrivateKey::generate(algorithm).unwrap();
    Authority::create(key, organization, Validity::starting(now(), 3600), &mut System).unwrap()
}

/// OpenSSL does not know the contract's label of an Ed25519 key.
fn standard_label(pem: &str) -> String {
    pem.replace("ED25519 PRIVATE KEY", "PRIVATE KEY")
}

#[test]
fn authorities_and_leaves_of_every_algorithm_verify() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256, Algorithm::Rsa4096] {
        let directory = tempfile::tempdir().unwrap();
        let ca = authority(algorithm, "talos");
        let leaf = Leaf::new(
            &[ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth],
            Validity::starting(now(), 600),
        )
        .common_name("node-1")
        .organization("one")
        .organization("two & three")
        .names(
            ["node-1".to_owned(), "node-1.example.org".to_owned()],
            ["10.5.0.2".parse::<IpAddr>().unwrap(), "fd00::2".parse().unwrap()],
        );
        let identity = ca.issue(&leaf, &mut System).unwrap();
        let write = |name, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        write("ca.crt", ca.certificate_pem());
        write("leaf.crt", identity.certificate_pem());
        write("leaf.key", standard_label(&identity.key_pem().unwrap()));

        let verify = text(
            directory.path(),
            &["verify", "-x509_strict", "-CAfile", "ca.crt", "-purpose", "sslserver", "leaf.crt"],
        );
        assert_eq!(verify.trim(), "leaf.crt: OK");
        let seen = text(directory.path(), &["x509", "-in", "leaf.crt", "-noout", "-text"]);
        for expected in [
            "O = one + O = two & three, CN = node-1",
            "Issuer: O = talos",
            "DNS:node-1, DNS:node-1.example.org, IP Address:10.5.0.2, IP Address:FD00:0:0:0:0:0:0:2",
            "TLS Web Server Authentication, TLS Web Client Authentication",
            "Digital Signature",
        ] {
            assert!(seen.contains(expected), "{expected} is not in\n{seen}");
        }
        assert_eq!(seen.contains("Key Encipherment"), algorithm == Algorithm::Rsa4096);
        let key = text(directory.path(), &["pkey", "-in", "leaf.key", "-pubout"]);
        let certified = text(directory.path(), &["x509", "-in", "leaf.crt", "-noout", "-pubkey"]);
        assert_eq!(key, certified);
        assert_eq!(key, identity.key.public_key_pem().unwrap());
    }
}

#[test]
fn an_authority_is_marked_as_one_and_may_have_an_empty_subject() {
    let directory = tempfile::tempdir().unwrap();
    let ca = authority(Algorithm::EcdsaP256, "");
    std::fs::write(directory.path().join("ca.crt"), ca.certificate_pem()).unwrap();
    let seen = text(directory.path(), &["x509", "-in", "ca.crt", "-noout", "-text"]);
    for expected in ["CA:TRUE", "Digital Signature, Certificate Sign", "Subject: \n"] {
        assert!(seen.contains(expected), "{expected} is not in\n{seen}");
    }
    assert!(ca.certificate().is_signed_by(ca.certificate()));
    assert!(!ca.certificate().is_signed_by(authority(Algorithm::EcdsaP256, "").certificate()));
}

#[test]
fn requests_go_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    // Ours, read by openssl.
    let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    let ours = Request::create(
        &key,
        "",
        &["os:admin".to_owned()],
        &["worker-1".to_owned()],
        &["10.5.0.3".parse().unwrap()],
    )
    .unwrap();
    std::fs::write(path("ours.csr"), ours.to_pem()).unwrap();
    let seen = text(directory.path(), &["req", "-in", "ours.csr", "-noout", "-text", "-verify"]);
    assert!(seen.contains("DNS:worker-1, IP Address:10.5.0.3"), "{seen}");
    assert!(seen.contains("O = os:admin"), "{seen}");

    // OpenSSL's, signed by us under trustd's rules.
    text(
        directory.path(),
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "k",
            "-out",
            "theirs.csr",
            "-subj",
            "/O=os:admin/CN=worker-1",
            "-addext",
            "subjectAltName=DNS:worker-1,IP:10.5.0.3",
        ],
    );
    let theirs = std::fs::read_to_string(path("theirs.csr")).unwrap();
    let request = Request::from_pem(&theirs).unwrap();
    assert_eq!(request.organizations, ["os:admin"]);
    let ca = authority(Algorithm::Ed25519, "talos");
    let signed =
        ca.sign_server_request(&request, Validity::starting(now(), 600), &mut System).unwrap();
    assert!(signed.organizations.is_empty(), "a role was smuggled in: {signed:?}");
    assert_eq!(signed.extended_usages, [ExtendedUsage::ServerAuth]);
    assert_eq!((signed.dns_names.as_slice(), signed.ips.len()), (&["worker-1".to_owned()][..], 1));
    std::fs::write(path("ca.crt"), ca.certificate_pem()).unwrap();
    std::fs::write(path("signed.crt"), signed.to_pem()).unwrap();
    let verify =
        text(directory.path(), &["verify", "-x509_strict", "-CAfile", "ca.crt", "signed.crt"]);
    assert_eq!(verify.trim(), "signed.crt: OK");

    // A request whose signature was made by another key is refused.
    let mut der = pki::pem::decode_first(&theirs).unwrap().content;
    let last = der.len() - 1;
    der[last] ^= 1;
    let forged = Request::from_pem(&pki::pem::encode("CERTIFICATE REQUEST", &der)).unwrap_err();
    assert!(matches!(forged, pki::RequestError::Signature), "{forged}");
}

#[test]
fn fingerprint_is_of_the_public_key() {
    let directory = tempfile::tempdir().unwrap();
    let ca = authority(Algorithm::Ed25519, "talos");
    std::fs::write(directory.path().join("ca.crt"), ca.certificate_pem()).unwrap();
    let shell = Command::new("sh")
        .args(["-c", "openssl x509 -in ca.crt -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(shell.stdout).unwrap().trim(), ca.certificate().fingerprint());
}

#[test]
fn a_generated_bundle_is_complete_and_issues_clients() {
    let secrets = Secrets::generate(now(), &mut System).unwrap();
    secrets.validate().unwrap();
    let client = secrets
        .client(&["os:admin".to_owned(), "os:reader".to_owned()], now(), &mut System)
        .unwrap();
    let mut roles = client.certificate.organizations.clone();
    roles.sort();
    assert_eq!(roles, ["os:admin", "os:reader"]);
    assert_eq!(client.certificate.extended_usages, [ExtendedUsage::ClientAuth]);
    assert!(client.certificate.is_signed_by(secrets.os.authority().unwrap().certificate()));
    assert_eq!(client.key.algorithm(), Algorithm::Ed25519);

    let broken = Secrets {
        bootstrap_token: "x".into(),
        kubernetes: secrets.etcd.clone(),
        ..secrets.clone()
    };
    let broken = Secrets {
        etcd: pki::bundle::Pair { key: secrets.os.key.clone(), ..secrets.etcd.clone() },
        ..broken
    };
    let error = broken.validate().unwrap_err().to_string();
    assert!(error.contains("secrets.bootstraptoken is not of the form"), "{error}");
    assert!(error.contains("certs.etcd: pairing a certificate with its key"), "{error}");
}

#[test]
fn dates_beyond_2049_are_written_in_the_long_form() {
    let directory = tempfile::tempdir().unwrap();
    let validity = Validity { not_before: now(), not_after: 2_600_000_000 };
    let key = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
    let identity =
        Identity::self_signed(key, &Leaf::new(&[ExtendedUsage::ServerAuth], validity), &mut System)
            .unwrap();
    assert_eq!(identity.certificate.validity, validity);
    std::fs::write(directory.path().join("c"), identity.certificate_pem()).unwrap();
    let end = text(directory.path(), &["x509", "-in", "c", "-noout", "-enddate"]);
    assert!(end.contains("2052"), "{end}");
    let again = Certificate::from_pem(&identity.certificate_pem()).unwrap();
    assert_eq!(again, identity.certificate);
}

#[test]
fn a_bundle_reads_back_what_it_writes() {
    let secrets = Secrets::generate(now(), &mut System).unwrap();
    let text = secrets.to_yaml();
    assert_eq!(Secrets::from_yaml(text.as_bytes()).unwrap(), secrets);
    assert!(!text.contains("aescbc"), "{text}");
    assert!(text.starts_with("cluster:\n    id: "), "{text}");

    let error = Secrets::from_yaml(b"cluster: {}\n").unwrap().validate().unwrap_err().to_string();
    for part in
        ["cluster.id is missing", "certs.os needs both", "secretboxencryptionsecret is missing"]
    {
        assert!(error.contains(part), "{error}");
    }
    let error = Secrets::from_yaml(b"- a\n").unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("line 1"), "{error}");
}

/// The variables of secure boot: the signature of each covers name, vendor, attributes, time and content.
#[test]
fn firmware_variables_are_signed() {
    use pki::secureboot::{Trusted, Variable, authenticated};
    let directory = tempfile::tempdir().unwrap();
    let validity = Validity::starting(now(), 3600);
    let leaf = Leaf::new(&[], validity).common_name("Test UKI Signing Key");
    let key = PrivateKey::generate(Algorithm::Rsa4096).unwrap();
    let signer = Identity::self_signed(key, &leaf, &mut System).unwrap();
    let certificate = signer.certificate.clone();
    std::fs::write(directory.path().join("signer.pem"), signer.certificate_pem()).unwrap();
    // Vendors as UEFI 2.10 prints them, in the byte order of firmware.
    let global = [
        0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b,
        0x8c,
    ];
    let database = [
        0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65,
        0x6f,
    ];
    for (variable, vendor) in [
        (Variable::PlatformKey, global),
        (Variable::KeyExchangeKey, global),
        (Variable::Database, database),
    ] {
        let trusted = [Trusted { owner: [7; 16], certificate: certificate.clone() }];
        let file = authenticated(variable, &trusted, &signer, now()).unwrap();
        let length = u32::from_le_bytes(file[16..20].try_into().unwrap()) as usize;
        let (signed_data, list) = (&file[40..16 + length], &file[16 + length..]);
        let der = certificate.der();
        assert_eq!(list.len(), 28 + 16 + der.len());
        assert_eq!(list[28..44], [7; 16]);
        assert_eq!(&list[44..], der);
        let mut content: Vec<u8> = variable.name().bytes().flat_map(|byte| [byte, 0]).collect();
        content.extend(vendor);
        content.extend([0x27, 0, 0, 0]);
        content.extend(&file[..16]);
        content.extend(list);
        // OpenSSL reads the structure inside a ContentInfo: its type, then the structure itself.
        let tagged = yasna::construct_der(|writer| {
            writer.write_sequence(|sequence| {
                let signed = [1, 2, 840, 113_549, 1, 7, 2];
                sequence.next().write_oid(&yasna::models::ObjectIdentifier::from_slice(&signed));
                sequence.next().write_tagged(yasna::Tag::context(0), |w| w.write_der(signed_data));
            });
        });
        let write =
            |name, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
        write("signature.der", &tagged);
        write("content", &content);
        let verify = |content: &str| {
            openssl(
                directory.path(),
                &[
                    "smime",
                    "-verify",
                    "-inform",
                    "DER",
                    "-in",
                    "signature.der",
                    "-content",
                    content,
                    "-binary",
                    "-CAfile",
                    "signer.pem",
                    "-purpose",
                    "any",
                    "-out",
                    "/dev/null",
                ],
            )
        };
        let output = verify("content");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", variable.name());
        content[0] ^= 1;
        write("other", &content);
        assert!(!verify("other").status.success(), "{}", variable.name());
    }
    let ed25519 = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    let other = Identity::self_signed(ed25519, &leaf, &mut System).unwrap();
    let refused = authenticated(Variable::Database, &[], &other, now());
    assert!(refused.unwrap_err().to_string().contains("RSA keys only"));
}

/// The well-known certificates are the ones that were published, by subject and fingerprint as OpenSSL prints them.
#[test]
fn well_known_certificates_are_the_published_ones() {
    use pki::secureboot::{Variable, well_known};
    let published = [
        (
            Variable::KeyExchangeKey,
            "Microsoft Corporation KEK CA 2011",
            "A1117F516A32CEFCBA3F2D1ACE10A87972FD6BBE8FE0D0B996E09E65D802A503",
        ),
        (
            Variable::KeyExchangeKey,
            "Microsoft Corporation KEK 2K CA 2023",
            "3CD3F0309EDAE228767A976DD40D9F4AFFC4FBD5218F2E8CC3C9DD97E8AC6F9D",
        ),
        (
            Variable::Database,
            "Microsoft Corporation UEFI CA 2011",
            "48E99B991F57FC52F76149599BFF0A58C47154229B9F8D603AC40D3500248507",
        ),
        (
            Variable::Database,
            "Microsoft UEFI CA 2023",
            "F6124E34125BEE3FE6D79A574EAA7B91C0E7BD9D929C1A321178EFD611DAD901",
        ),
        (
            Variable::Database,
            "Microsoft Option ROM UEFI CA 2023",
            "E5BE3E64C6E66A281457ECDECE0D6D0787577AAD2A3A0144262C10C14BA8D8F1",
        ),
        (
            Variable::Database,
            "Microsoft Windows Production PCA 2011",
            "E8E95F0733A55E8BAD7BE0A1413EE23C51FCEA64B3C8FA6A786935FDDCC71961",
        ),
        (
            Variable::Database,
            "Windows UEFI CA 2023",
            "076F1FEA90AC29155EBF77C17682F75F1FDD1BE196DA302DC8461E350A9AE330",
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for variable in [Variable::PlatformKey, Variable::KeyExchangeKey, Variable::Database] {
        for trusted in well_known(variable).unwrap() {
            std::fs::write(directory.path().join("c.der"), trusted.certificate.der()).unwrap();
            let arguments = ["x509", "-inform", "DER", "-in", "c.der", "-noout", "-subject"];
            let more = ["-nameopt", "multiline", "-fingerprint", "-sha256"];
            let output = openssl(directory.path(), &[&arguments[..], &more].concat());
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let after = |mark: &str| {
                let line = said.lines().find(|line| line.contains(mark)).unwrap();
                line.rsplit('=').next().unwrap().trim().replace(':', "")
            };
            found.push((variable, after("commonName"), after("Fingerprint")));
        }
    }
    let published: Vec<_> = published
        .map(|(variable, name, print)| (variable, name.to_owned(), print.to_owned()))
        .into();
    assert_eq!(found, published);
}

/// The forms of older releases.
#[test]
fn older_releases_have_other_keys() {
    let form = pki::bundle::Form { aescbc: true, ecdsa_service_account: true };
    let secrets = Secrets::generate_as(form, now(), &mut System).unwrap();
    assert!(secrets.secretbox_encryption_secret.is_empty());
    assert!(!secrets.aescbc_encryption_secret.is_empty());
    assert!(secrets.service_account_key.starts_with("-----BEGIN EC PRIVATE KEY-----"));
    secrets.validate().unwrap();
    let text = secrets.to_yaml();
    assert!(
        text.contains("aescbcencryptionsecret:") && !text.contains("secretboxencryptionsecret:")
    );
    assert_eq!(Secrets::from_yaml(text.as_bytes()).unwrap(), secrets);
    // Without Kubernetes only the identity, trust and the token of the machines count.
    let bare = Secrets {
        bootstrap_token: String::new(),
        aescbc_encryption_secret: String::new(),
        etcd: Default::default(),
        kubernetes: Default::default(),
        aggregator: Default::default(),
        service_account_key: String::new(),
        ..secrets
    };
    bare.validate_parts(false).unwrap();
    let problems = bare.validate().unwrap_err().to_string();
    for part in
        ["bootstraptoken", "secretbox", "etcd", "certs.k8s ", "k8saggregator", "k8sserviceaccount"]
    {
        assert!(problems.contains(part), "{part}: {problems}");
    }
}
