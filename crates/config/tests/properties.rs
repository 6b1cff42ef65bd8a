//! What holds for any configuration: documents with any choice of fields, and any options of a generation.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod sample;

use config::generate::{Options, Pair, Secrets, generate, install_image};
use config::reference::sections;
use config::validate::{self, Mode, validate};
use config::view::MachineType::{ControlPlane, Worker};
use config::{Config, diff, patch};
use proptest::prelude::*;
use sample::SECRET;
use yaml::Value;

/// Takes each field or not, by the bits of a seed.
fn choice(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed | 1;
    move || {
        // The generator of Knuth's MMIX; its high bits are the good ones.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 62 != 0
    }
}

/// A document of one kind with a choice of fields.
fn document(number: usize, seed: u64) -> (&'static str, String) {
    let all = sections().count();
    let (kind, section) = sections().nth(number % all).expect("a kind");
    (kind, yaml::to_string(&sample::document(kind, section, &mut choice(seed))))
}

fn load(kind: &str, text: &str) -> Config {
    config::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{kind}: {errors}\n{text}"))
}

/// Every scalar and every key is still there; lists may be longer.
fn contained(path: &str, before: &Value, after: &Value) {
    match (before, after) {
        (Value::Map(entries), after) => {
            for (key, value) in entries {
                let path = format!("{path}.{key}");
                let now = after.entry(key).unwrap_or_else(|| panic!("{path} is gone"));
                contained(&path, value, now);
            }
        }
        (Value::Seq(items), Value::Seq(more)) => assert!(more.len() >= items.len(), "{path}"),
        (before, after) => assert_eq!(before, after, "{path}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn what_is_written_reads_the_same(number in 0_usize..90, seed: u64) {
        let (kind, text) = document(number, seed);
        let config = load(kind, &text);
        let written = config.encode();
        let again = load(kind, &written);
        prop_assert_eq!(again.encode(), written);
        prop_assert!(again == config, "{}", kind);
    }

    #[test]
    fn redaction_leaves_no_secret(number in 0_usize..90, seed: u64) {
        let (kind, text) = document(number, seed);
        let redacted = load(kind, &text).redacted("******").encode();
        prop_assert!(!redacted.contains(SECRET), "{}:\n{}", kind, redacted);
        load(kind, &redacted);
    }

    #[test]
    fn a_document_merged_into_itself_keeps_scalars_and_maps(number in 0_usize..90, seed: u64) {
        let (kind, text) = document(number, seed);
        let config = load(kind, &text);
        let patch = patch::load(config.encode().as_bytes()).expect("a patch");
        let merged = patch::apply_to(&config, &[patch]).expect("merges");
        for (before, after) in config.values().iter().zip(merged.values()) {
            contained(kind, before, &after);
        }
    }

    #[test]
    fn patches_lead_from_one_to_the_other(number in 0_usize..90, one: u64, two: u64) {
        patched(number, one, two);
    }
}

/// Makes `new` of `old` by the patches of their difference, as several and as one.
fn patched(number: usize, one: u64, two: u64) {
    let ((kind, old), (_, new)) = (document(number, one), document(number, two));
    let (old, new) = (load(kind, &old), load(kind, &new));
    let texts = diff::patches(&old, &new);
    let joined = texts.join("---\n");
    let alone = if texts.is_empty() { Vec::new() } else { vec![joined] };
    for texts in [texts, alone] {
        if texts.is_empty() {
            assert_eq!(old.encode(), new.encode(), "{kind}");
            continue;
        }
        let patches: Vec<_> =
            texts.iter().map(|text| patch::load(text.as_bytes()).expect("a patch")).collect();
        let made =
            patch::apply_to(&old, &patches).unwrap_or_else(|e| panic!("{kind}: {e}\n{texts:#?}"));
        let rest = diff::text(&made, &new);
        assert!(rest.is_empty(), "{kind}:\n{rest}\n{}", texts.join("=====\n"));
    }
}

/// A difference that was wrong once.
#[test]
fn patches_of_known_differences() {
    patched(0, 1_428_621_366_234_542_838, 2_971_488_195_875_368_908);
}

/// PEM of a certificate and a key, from the example of a kind.
fn material() -> (String, String) {
    let info = config::catalog::kind("KubeAggregatorCAConfig").expect("kind");
    let config = config::load(info.example.as_bytes()).expect("example");
    let authority = config.view().aggregator_ca().issuing.expect("issuing");
    (authority.crt, authority.key)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn generated_configurations_are_valid_in_their_mode(
        minor in 3_u32..=14,
        seed: u64,
        sans in proptest::collection::vec("[a-z]{1,8}(\\.[a-z]{1,8}){0,2}", 0..3),
    ) {
        let (crt, key) = material();
        let pair = Pair { crt: &crt, key: &key };
        let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let secrets = Secrets {
            cluster_id: secret,
            cluster_secret: secret,
            bootstrap_token: "abcdef.0123456789abcdef",
            secretbox_encryption_secret: secret,
            aescbc_encryption_secret: "",
            trustd_token: "abcdef.0123456789abcdef",
            etcd: pair,
            kubernetes: pair,
            aggregator: pair,
            service_account_key: &key,
            os: pair,
        };
        let mut take = choice(seed);
        let mut options = Options::new("test", "https://10.0.0.1:6443".parse().expect("url"));
        options.contract = format!("v1.{minor}").parse().expect("a release");
        options.install_image = install_image(options.contract, "v1.14.0");
        options.additional_sans = sans;
        options.discovery = take();
        options.kube_span = options.discovery && take();
        options.allow_scheduling_on_control_planes = take();
        options.local_api_server_port = take().then_some(6444);
        options.custom_cni_url = take().then(|| "https://example.org/cni.yaml".to_owned());
        if take() {
            options.registry_mirrors.insert("docker.io".to_owned(), vec!["http://10.0.0.2".to_owned()]);
        }
        if take() {
            options.sysctls.insert("vm.max_map_count".to_owned(), "262144".to_owned());
        }
        for machine in [ControlPlane, Worker] {
            let config = generate(&options, &secrets, machine);
            let text = config.encode();
            prop_assert_eq!(load("generated", &text).encode(), text.clone());
            prop_assert_eq!(generate(&options, &secrets, machine).encode(), text.clone());
            let mut modes = vec![Mode::Metal, Mode::Cloud];
            // Containers need the local name server, which came with 1.7 and was forwarded to with 1.8.
            modes.extend((minor >= 8).then_some(Mode::Container));
            for mode in modes {
                let report = validate(&config, validate::Options::local(mode));
                prop_assert!(report.is_valid(), "1.{} {:?} {}: {}\n{}", minor, machine, mode, report.message, text);
            }
        }
    }
}
