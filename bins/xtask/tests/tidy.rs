//! Keeps the source tree in the shape that ARCHITECTURE.md says: reads `cargo metadata` and the
//! sources themselves. Every violation is listed, with the file and the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
    metadata: Option<Annotations>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    src_path: PathBuf,
    /// Whether `cargo test` runs it.
    test: bool,
}

#[derive(Deserialize)]
struct Annotations {
    ichor: Option<Ichor>,
}

#[derive(Deserialize)]
struct Ichor {
    layer: Layer,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Layer {
    Pure,
    Adapter,
    Engine,
    Edge,
    Binary,
}

impl Layer {
    /// Whether a crate of this layer may depend on `name` of layer `other`.
    fn may_use(self, name: &str, other: Layer) -> bool {
        match self {
            Layer::Pure => other == Layer::Pure,
            // System calls and wire types are what several adapters are made of.
            Layer::Adapter => other == Layer::Pure || ["sys", "api"].contains(&name),
            Layer::Engine => other == Layer::Pure,
            Layer::Edge => matches!(other, Layer::Pure | Layer::Adapter | Layer::Engine),
            Layer::Binary => other != Layer::Binary,
        }
    }
}

/// What would let the outside world into a pure crate.
const IMPURE_CRATES: [&str; 9] =
    ["tokio", "rustix", "libc", "tonic", "hyper", "kube", "rand", "getrandom", "reqwest"];
const IMPURE_TEXT: [&str; 7] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant::now",
    "SystemTime::now",
    "async fn",
    "async move",
];
/// Modules of the standard library that are the outside world, however they are imported.
const IMPURE_MODULES: [&str; 4] = ["fs", "process", "env", "thread"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn packages() -> Vec<Package> {
    let output = Command::new("cargo")
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

fn layer(package: &Package) -> Layer {
    let ichor = package.metadata.as_ref().and_then(|metadata| metadata.ichor.as_ref());
    ichor
        .unwrap_or_else(|| panic!("{} does not say package.metadata.ichor.layer", package.name))
        .layer
}

fn directory(package: &Package) -> &Path {
    package.manifest_path.parent().unwrap()
}

/// Every Rust file below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file's code without comments, and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    product.lines().map(without_comment).collect::<Vec<_>>().join("\n")
}

/// A line up to its comment. The slashes of a URL begin none.
fn without_comment(line: &str) -> &str {
    let mut comments = line.match_indices("//").map(|(at, _)| at);
    let comment = comments.find(|at| !line[..*at].ends_with(':'));
    &line[..comment.unwrap_or(line.len())]
}

/// The words of a line of code.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

/// The modules of the standard library that code names, alone or in a list of imports.
fn standard_modules(code: &str) -> Vec<&str> {
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("std::") {
        let rest = &code[at + "std::".len()..];
        if !rest.starts_with('{') {
            modules.extend(words(rest).next());
            continue;
        }
        let mut depth = 0;
        let mut begins = true;
        for (at, character) in rest.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if begins && depth == 1 && character.is_alphabetic() {
                modules.extend(words(&rest[at..]).next());
                begins = false;
            }
            begins |= depth == 1 && matches!(character, '{' | ',');
        }
    }
    modules
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn none(violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{} violations:\n  {}",
        violations.len(),
        violations.join("\n  ")
    );
}

#[test]
fn arrows_point_down() {
    let packages = packages();
    let mut violations = Vec::new();
    let mut edges = 0;
    for package in &packages {
        let dependencies = package.dependencies.iter().filter(|dependency| {
            // What only tests use is not in the product.
            dependency.path.is_some() && dependency.kind.as_deref() != Some("dev")
        });
        for dependency in dependencies {
            let other = packages.iter().find(|other| other.name == dependency.name).unwrap();
            edges += 1;
            if !layer(package).may_use(&other.name, layer(other)) {
                violations.push(format!(
                    "{} ({:?}) depends on {} ({:?})",
                    package.name,
                    layer(package),
                    other.name,
                    layer(other)
                ));
            }
        }
    }
    assert!(edges > 20, "only {edges} edges were found: the test no longer sees the workspace");
    none(&violations);
}

#[test]
fn pure_crates_have_no_outside_world() {
    let mut violations = Vec::new();
    for package in packages().iter().filter(|package| layer(package) == Layer::Pure) {
        for dependency in &package.dependencies {
            let impure = IMPURE_CRATES.contains(&dependency.name.as_str());
            if impure && dependency.kind.as_deref() != Some("dev") {
                violations.push(format!("{} depends on {}", package.name, dependency.name));
            }
        }
        let library = directory(package).join("src/lib.rs");
        if !fs::read_to_string(&library).unwrap().contains("#![forbid(unsafe_code)]") {
            violations.push(format!("{}: #![forbid(unsafe_code)] is missing", shown(&library)));
        }
        for path in sources(&directory(package).join("src")) {
            let code = code(&path);
            for text in IMPURE_TEXT.iter().filter(|text| code.contains(**text)) {
                violations.push(format!("{}: uses {text}", shown(&path)));
            }
            for module in standard_modules(&code) {
                if IMPURE_MODULES.contains(&module) {
                    violations.push(format!("{}: uses std::{module}", shown(&path)));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn code_is_read_as_it_is_meant() {
    assert_eq!(without_comment("let a = \"http://b\"; // c"), "let a = \"http://b\"; ");
    assert_eq!(without_comment("/// text"), "");
    let code = "use std::{\n    collections::{BTreeMap, fs},\n    env,\n    io::{self, Read},\n    fs::File};\nstd::process::exit(1)";
    assert_eq!(standard_modules(code), ["collections", "env", "io", "fs", "process"]);
}

/// Tests, benchmarks, build scripts and fuzz targets included.
#[test]
fn unsafe_code_is_in_sys_only() {
    let mut violations = Vec::new();
    let mut blocks = 0;
    let mut directories: Vec<_> = packages()
        .iter()
        .map(|package| (package.name.clone(), directory(package).to_owned()))
        .collect();
    directories.push(("fuzz".to_owned(), root().join("fuzz/fuzz_targets")));
    for (name, directory) in directories {
        for path in sources(&directory) {
            let text = fs::read_to_string(&path).unwrap();
            for (at, line) in text.lines().enumerate() {
                if !words(without_comment(line)).any(|word| word == concat!("un", "safe")) {
                    continue;
                }
                // This file speaks about the word.
                if path.ends_with("xtask/tests/tidy.rs") {
                    continue;
                }
                blocks += 1;
                if name != "sys" {
                    violations.push(format!("{}:{}: unsafe outside sys", shown(&path), at + 1));
                }
            }
        }
    }
    assert!(blocks > 5, "only {blocks} unsafe blocks were found: the test no longer sees sys");
    none(&violations);
}

/// The code map of ARCHITECTURE.md names every crate, in the layer that the crate says it is in.
#[test]
fn the_code_map_is_true() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let layers = [
        ("binaries", Layer::Binary),
        ("edge", Layer::Edge),
        ("engine", Layer::Engine),
        ("adapters", Layer::Adapter),
        ("pure", Layer::Pure),
    ];
    let mut violations = Vec::new();
    let mut mapped = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, layer, crates, ..] = cells.as_slice() else { continue };
        let name = layer.split(' ').next().unwrap_or_default();
        let Some((_, layer)) = layers.iter().find(|(known, _)| *known == name) else { continue };
        mapped.extend(crates.split('`').skip(1).step_by(2).map(|name| (name, *layer)));
    }
    for package in &packages() {
        let place = directory(package).parent().and_then(Path::file_name).unwrap();
        if (layer(package) == Layer::Binary) != (place == "bins") {
            violations.push(format!("{} is in the wrong directory", package.name));
        }
        match mapped.iter().find(|(name, _)| *name == package.name) {
            None => violations.push(format!("{} is not on the code map", package.name)),
            Some((_, mapped)) if *mapped != layer(package) => violations.push(format!(
                "{} says {:?}, and the code map {mapped:?}",
                package.name,
                layer(package)
            )),
            Some(_) => {}
        }
    }
    for (name, _) in &mapped {
        if !packages().iter().any(|package| package.name == *name) {
            violations.push(format!("the code map names {name}, which does not exist"));
        }
    }
    none(&violations);
}

/// What the linter forbids is allowed to tests only.
#[test]
fn product_code_allows_itself_no_panic() {
    let mut violations = Vec::new();
    // The code of `api` is generated.
    for package in packages().into_iter().filter(|package| package.name != "api") {
        for path in sources(&directory(&package).join("src")) {
            // A module of tests in a file of its own.
            let tests = path
                .file_stem()
                .is_some_and(|stem| stem == "tests" || stem == "documented" || stem == "contract");
            let code = code(&path);
            for lint in ["unwrap_used", "expect_used", "clippy::panic", "indexing_slicing"] {
                if !tests && code.contains(lint) {
                    violations.push(format!("{}: allows {lint}", shown(&path)));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn names_and_files_follow_the_style() {
    let mut violations = Vec::new();
    for package in packages() {
        for path in sources(&directory(&package).join("src")) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if ["util", "utils", "helper", "helpers", "common", "misc"].contains(&name.as_str()) {
                violations.push(format!("{}: a file's name says what is in it", shown(&path)));
            }
            let text = fs::read_to_string(&path).unwrap();
            if !text.starts_with("//!") {
                violations
                    .push(format!("{}: does not begin by saying what it is (//!)", shown(&path)));
            }
            let generated = text.contains("@generated");
            let length = text.lines().count();
            if length > 800 && !generated {
                violations.push(format!("{}: {length} lines; split it before 800", shown(&path)));
            }
            for (at, line) in text.lines().enumerate() {
                // A look-up by key may be called get; reading a field may not.
                let function = line.trim_start().split("fn ").nth(1).unwrap_or_default();
                if function.starts_with("get_") && function.contains("(&self)") {
                    violations.push(format!("{}:{}: a getter has no get_", shown(&path), at + 1));
                }
                // Written in two parts so that this file does not contain the words.
                for word in [concat!("TO", "DO"), concat!("FIX", "ME")] {
                    if line.contains(word) {
                        violations.push(format!("{}:{}: {word}", shown(&path), at + 1));
                    }
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn no_test_is_ignored() {
    let mut violations = Vec::new();
    for package in packages() {
        for path in sources(directory(&package)) {
            for (at, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
                let line = line.trim_start();
                let attribute = line.starts_with("#[") || line.starts_with("#![");
                if attribute && words(line).any(|word| word == concat!("ig", "nore")) {
                    violations.push(format!("{}:{}: an ignored test", shown(&path), at + 1));
                }
            }
        }
    }
    none(&violations);
}

/// Tests that are run apart; Cargo.toml says why.
const APART: [&str; 1] = ["machine"];

/// Two targets of one name are one for cargo, and the other file is never looked at.
#[test]
fn every_test_is_run() {
    let mut violations = Vec::new();
    for package in packages() {
        let tests = directory(&package).join("tests");
        let entries = fs::read_dir(&tests).into_iter().flatten().flatten();
        let starts = entries.map(|entry| entry.path()).filter_map(|path| {
            let start = if path.is_dir() { path.join("main.rs") } else { path };
            let is_rust = start.extension().is_some_and(|extension| extension == "rs");
            (is_rust && start.exists()).then_some(start)
        });
        for start in starts {
            match package.targets.iter().find(|target| target.src_path == start) {
                None => violations.push(format!("{}: no target of cargo", shown(&start))),
                Some(target) if !target.test && !APART.contains(&target.name.as_str()) => {
                    violations.push(format!("{}: target {} is off", shown(&start), target.name));
                }
                Some(_) => {}
            }
        }
    }
    none(&violations);
}

/// Every fuzz target is declared: `make fuzz` runs those that are.
#[test]
fn fuzz_targets_are_complete() {
    let output = Command::new("cargo")
        .current_dir(root().join("fuzz"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let files = sources(&root().join("fuzz/fuzz_targets"));
    let mut violations = Vec::new();
    for path in &files {
        if !text.contains(&format!("{}\"", path.display())) {
            violations.push(format!("{} is not declared in fuzz/Cargo.toml", shown(path)));
        }
    }
    for wanted in ["config", "resource", "yaml"] {
        if !files.iter().any(|path| path.file_stem().is_some_and(|stem| stem == wanted)) {
            violations.push(format!("the fuzz target {wanted} is missing"));
        }
    }
    none(&violations);
}

/// The workspace does not know the fuzz targets, and `make fuzz` builds one after the other: a change that one of them does
/// not follow shows here. Only checked, so that neither a nightly compiler nor the fuzzing library's C++ is needed.
#[test]
fn fuzz_targets_compile() {
    let output = Command::new("cargo")
        .current_dir(root().join("fuzz"))
        .args(["check", "--locked", "--quiet", "--bins", "--target-dir"])
        .arg(root().join("target"))
        .env("CUSTOM_LIBFUZZER_PATH", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
