//! Input that was made to hurt: each gives a clear answer in bounded time and memory.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use config::validate::{Mode, Options, validate};
use config::{diagnostic, patch};

/// The most time one input may take. (A build without optimisation, on a machine that does other things.)
const TIME: Duration = Duration::from_secs(180);
/// The most memory that all inputs together may take, in bytes.
const MEMORY: u64 = 2 << 30;
/// The size of a large input, in bytes.
const LARGE: usize = 10 << 20;
/// The size of other large inputs: as many shapes as there are, without optimisation, take their time.
const MIDDLE: usize = 1 << 20;

/// The most memory this process has had at once.
fn peak() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    let kib = line.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
    kib.expect("a number") * 1024
}

/// What the whole way of a text through the program says: loading, checking, telling.
fn answer(bytes: &[u8]) -> String {
    match config::load(bytes) {
        Ok(config) => {
            let report = validate(&config, Options::local(Mode::Metal));
            let told = diagnostic::of_report(&report, &config).len();
            format!("{} documents, {told} findings", config.values().len())
        }
        Err(errors) => {
            let told = diagnostic::of_load(&errors);
            let text = errors.to_string();
            format!("{} told; {}", told.len(), text.chars().take(200).collect::<String>())
        }
    }
}

#[track_caller]
fn says(name: &str, bytes: &[u8], want: &str) {
    let begun = Instant::now();
    let answer = answer(bytes);
    let time = begun.elapsed();
    println!("{name}: {time:?}: {answer}");
    assert!(answer.contains(want), "{name}: {answer}\ninstead of: {want}");
    assert!(time < TIME, "{name} took {time:?}");
}

/// A text repeated until it is large.
fn repeated(size: usize, head: &str, item: impl Fn(usize) -> String, tail: &str) -> Vec<u8> {
    let mut text = head.to_owned();
    let mut number = 0;
    while text.len() < size {
        text.push_str(&item(number));
        number += 1;
    }
    text.push_str(tail);
    text.into_bytes()
}

fn bomb(head: &str) -> Vec<u8> {
    let mut text = format!("{head}a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..20 {
        let list = vec![format!("*a{}", level - 1); 9].join(",");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    text.into_bytes()
}

#[test]
fn small_input_with_a_sting() {
    says("bomb", &bomb(""), "decode error: yaml: line 6: document contains excessive aliasing");
    says(
        "merge bomb",
        b"a: &a {b: 1}\nmachine:\n  sysctls:\n    <<: [*a, *a, *a]\n",
        "unknown keys",
    );
    says(
        "an anchor in itself",
        b"machine: &a {x: *a}",
        "alias refers to an anchor that is not complete",
    );
    says("an unknown anchor", b"machine: *a", "decode error: yaml: line 1");
    says("NUL", b"machine: {type: \"a\0b\"}", "line 1: control characters are not allowed");
    says("NUL alone", b"\0", "decode error: yaml: line 1: control characters are not allowed");
    says("tabs", b"machine:\n\ttype: worker\n", "decode error: yaml: line 2");
    says("half a character", b"machine: {type: \xc3", "invalid UTF-8 after byte 16");
    says("UTF-16", b"\xff\xfem\0a\0", "invalid UTF-8 after byte 0");
    says("nothing", b"", "config not found");
    says("only a byte order mark", b"\xef\xbb\xbf", "config not found");
    says("only ends", b"---\n---\n...\n", "config not found");
    says("a list", b"- a\n", "expected a YAML document at line 1");
    says("a scalar", b"text", "expected a YAML document at line 1");
    says("a key of keys", b"? {a: b}\n: c\n", "invalid map key: !!map");
    says("unclosed", b"machine: {type: worker", "decode error: yaml: line");
    says("an unknown tag", b"machine: !!python/object:os.system {}\n", "1 documents");
    says(
        "a huge number",
        b"machine: {features: {kubePrism: {port: 99999999999999999999999}}}",
        "into int",
    );
    says("deep", "- ".repeat(100_000).as_bytes(), "exceeded max depth of 200");
    says("deeper", "[".repeat(100_000).as_bytes(), "line 1: recursion limit exceeded");
    says(
        "mappings in mappings",
        "{a: ".repeat(100_000).as_bytes(),
        "line 1: recursion limit exceeded",
    );
}

/// Line ends of any kind and a byte order mark make no difference.
#[test]
fn line_ends_and_byte_order_mark() {
    let text =
        "version: v1alpha1\nmachine:\n  type: worker\n  sysctls:\n    a: |\n      b\n      c\n";
    let want = config::load(text.as_bytes()).expect("loads").encode();
    for other in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        format!("\u{feff}{text}"),
        format!("\u{feff}{}", text.replace('\n', "\r\n")),
    ] {
        let loaded = config::load(other.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{other:?}"));
        assert_eq!(loaded.encode(), want, "{other:?}");
        // What is not changed stays as the user wrote it.
        assert_eq!(loaded.bytes().as_ref(), other.as_bytes());
    }
}

/// Anchors and merge keys are taken apart while reading.
#[test]
fn anchors_and_merge_keys() {
    let text = "machine:\n  type: &t worker\n  token: *t\n  sysctls: &s {a: '1', b: '2'}\n  sysfs:\n    <<: *s\n    b: '3'\n";
    let loaded = config::load(text.as_bytes()).expect("loads");
    let machine = loaded.v1alpha1().and_then(|legacy| legacy.machine.as_ref()).expect("machine");
    assert_eq!(machine.token, "worker");
    let sysfs: Vec<_> = machine.sysfs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(sysfs, [("a", "1"), ("b", "3")]);
}

#[test]
fn large_input() {
    let large =
        |head: &str, item: &dyn Fn(usize) -> String, tail: &str| repeated(LARGE, head, item, tail);
    says(
        "a long text",
        &large("machine: {token: \"", &|_| "x".repeat(1000), "\"}\n"),
        "1 documents",
    );
    says(
        "many keys",
        &large("machine:\n  sysctls:\n", &|n| format!("    k{n}: v\n"), ""),
        "1 documents",
    );
    says(
        "one key again",
        &large("machine:\n", &|_| "  type: v\n".to_owned(), ""),
        "already defined",
    );
    says("many documents", &large("", &host, ""), "findings");
    let huge = vec![b'a'; 33 << 20];
    says("more than the limit", &huge, "exceeds the limit");
    let peak = peak();
    println!("peak: {} MiB", peak >> 20);
    assert!(peak < MEMORY, "{peak} bytes");
}

/// A small document of its own name.
fn host(number: usize) -> String {
    let [a, b, c, d] = u32::try_from(number).unwrap_or(0).to_be_bytes();
    format!("---\napiVersion: v1alpha1\nkind: StaticHostConfig\nname: {a}.{b}.{c}.{d}\n")
}

#[test]
fn input_of_many_shapes() {
    let large =
        |head: &str, item: &dyn Fn(usize) -> String, tail: &str| repeated(MIDDLE, head, item, tail);
    says(
        "a line of words",
        &large("machine:\n  token: ", &|_| "word ".repeat(100), "\n"),
        "1 documents",
    );
    says(
        "a long block",
        &large("machine:\n  token: |\n", &|_| "    line\n".to_owned(), ""),
        "1 documents",
    );
    says("only comments", &large("", &|_| "# comment\n".to_owned(), ""), "config not found");
    says("only documents", &large("", &|_| "---\n".to_owned(), ""), "config not found");
    let free = |n: usize| format!("      k{n}: v\n");
    let free = large("machine:\n  kubelet:\n    extraConfig:\n", &free, "");
    says("many free keys", &free, "1 documents");
    says("unknown keys", &large("machine:\n", &|n| format!("  k{n}: v\n"), ""), "unknown keys");
    let types = large("machine:\n  certSANs:\n", &|_| "    - {}\n".to_owned(), "");
    says("wrong types", &types, "cannot unmarshal");
    let again = |_| "---\napiVersion: v1alpha1\nkind: HostnameConfig\n".to_owned();
    says("one document again", &large("", &again, ""), "is not allowed");
    let unknown = |n: usize| format!("---\nkind: K{n}\napiVersion: v1alpha1\n");
    says("unknown kinds", &large("", &unknown, ""), "not registered");
    let key = |n: usize| format!("    k{n}: v\n");
    let merge = repeated(2 * MIDDLE, "machine:\n  sysctls: &s\n", key, "  sysfs:\n    <<: *s\n");
    says("a large merge", &merge, "excessive aliasing");
    let small: String = (0..40_000).map(|n| format!("    m{n}: v\n")).collect();
    let head = format!("machine:\n  sysctls: &s\n{small}  sysfs:\n    <<: *s\n");
    says("a merge into much", &large(&head, &key, ""), "1 documents");

    // Much merged into much.
    let begun = Instant::now();
    for text in [large("", &host, ""), free] {
        let patches = [patch::load(&text).expect("a patch")];
        patch::apply(&text, &patches).expect("applies");
    }
    println!("patches: {:?}", begun.elapsed());
    assert!(begun.elapsed() < TIME, "{:?}", begun.elapsed());
}
