//! The language at work on a generated control plane configuration: reading, checking, patching, generating.
//!
//! `cargo bench -p config --bench language` prints one line per figure with its goal. Each figure is the best of
//! several rounds, as time per operation. Keys are generated apart: that is the cryptography library's time. (The
//! start of the program `ichorctl` around it is measured by the benchmark `programs` of `xtask`.)

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use config::generate::{Comments, Options, Pair, Secrets, generate, render};
use config::patch;
use config::validate::{self, Mode, validate};
use config::view::MachineType;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: u32 = 20;
const NOW: i64 = 1_700_000_000;

/// The best time of an operation over rounds of `count` operations.
fn best(count: u32, mut operation: impl FnMut()) -> Duration {
    let round = |_| {
        let begin = Instant::now();
        for _ in 0..count {
            operation();
        }
        begin.elapsed() / count
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn row(what: &str, time: Duration, goal: Option<f64>) {
    let millis = time.as_secs_f64() * 1000.0;
    let (goal, mark) = match goal {
        None => ("no goal".to_owned(), ""),
        Some(goal) => {
            (format!("below {goal:.2} ms"), if millis < goal { "reached" } else { "MISSED" })
        }
    };
    println!("{what:<44} {millis:>12.4} ms   {goal:<14} {mark}");
}

fn secrets(bundle: &pki::Secrets) -> Secrets<'_> {
    fn pair(pair: &pki::bundle::Pair) -> Pair<'_> {
        Pair { crt: &pair.certificate, key: &pair.key }
    }
    Secrets {
        cluster_id: &bundle.cluster_id,
        cluster_secret: &bundle.cluster_secret,
        bootstrap_token: &bundle.bootstrap_token,
        secretbox_encryption_secret: &bundle.secretbox_encryption_secret,
        aescbc_encryption_secret: &bundle.aescbc_encryption_secret,
        trustd_token: &bundle.trustd_token,
        etcd: pair(&bundle.etcd),
        kubernetes: pair(&bundle.kubernetes),
        aggregator: pair(&bundle.aggregator),
        service_account_key: &bundle.service_account_key,
        os: pair(&bundle.os),
    }
}

/// Twenty patches of every sort that a stream of several documents takes.
fn patches() -> Vec<String> {
    let mut texts = vec![
        "machine: {certSANs: [a.example.org]}".to_owned(),
        "cluster: {etcd: {advertisedSubnets: [10.0.0.0/8], extraArgs: {quota-backend-bytes: '1'}}}"
            .to_owned(),
        "apiVersion: v1alpha1\nkind: KubeletConfig\nconfig: {maxPods: 200}".to_owned(),
        "apiVersion: v1alpha1\nkind: KubeSpanConfig\nenabled: true".to_owned(),
        "apiVersion: v1alpha1\nkind: KubeAuditPolicyConfig\n$patch: delete".to_owned(),
        "apiVersion: v1alpha1\nkind: HostnameConfig\nauto: off\nhostname: a".to_owned(),
        "apiVersion: v1alpha1\nkind: KubeNodeConfig\ntaints: {$patch: delete}".to_owned(),
    ];
    texts.extend((0..13).map(|n| {
        format!("apiVersion: v1alpha1\nkind: LinkConfig\nname: eth{n}\naddresses: [{{address: 10.0.{n}.1/24}}]")
    }));
    texts
}

fn main() {
    println!("{:<44} {:>15}   {:<14}", "configuration language", "per operation", "goal");
    let bundle = pki::Secrets::generate(NOW, &mut pki::System).expect("secrets");
    let endpoint = "https://10.5.0.2:6443".parse().expect("an endpoint");
    let options = Options::new("bench", endpoint);
    let secrets = secrets(&bundle);
    let text = generate(&options, &secrets, MachineType::ControlPlane).encode();
    let local = validate::Options::local(Mode::Metal);

    let load = best(50, || {
        black_box(config::load(black_box(text.as_bytes())).is_ok());
    });
    row("load a control plane configuration", load, None);
    let both = best(50, || {
        let config = config::load(black_box(text.as_bytes())).expect("loads");
        assert!(black_box(validate(&config, local)).is_valid());
    });
    row("load and validate it", both, Some(1.0));

    let texts = patches();
    let patched = best(20, || {
        let patches: Vec<_> =
            texts.iter().map(|text| patch::load(text.as_bytes()).expect("a patch")).collect();
        black_box(patch::apply(text.as_bytes(), &patches).expect("applies"));
    });
    row("load, patch 20 times and write it", patched, Some(2.0));

    let generated = best(50, || {
        black_box(generate(&options, &secrets, MachineType::ControlPlane).encode());
    });
    row("generate and write it", generated, Some(1.0));
    let explained = best(10, || {
        let config = generate(&options, &secrets, MachineType::ControlPlane);
        black_box(render(&config, Comments { docs: true, examples: true }));
    });
    row("generate and write it with comments", explained, Some(5.0));

    let begin = Instant::now();
    for _ in 0..3 {
        black_box(pki::Secrets::generate(NOW, &mut pki::System).expect("secrets"));
    }
    row("generate the secrets (RSA 4096 among them)", begin.elapsed() / 3, None);
    let small = pki::bundle::Form { ecdsa_service_account: true, ..pki::bundle::Form::default() };
    let begin = Instant::now();
    for _ in 0..20 {
        let made = pki::Secrets::generate_as(small, NOW, &mut pki::System);
        black_box(made.expect("secrets"));
    }
    row("generate the secrets without RSA", begin.elapsed() / 20, None);
}
