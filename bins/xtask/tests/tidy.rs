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
    metadata: Option<Annotations>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
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
            Layer::Engine => matches!(other, Layer::Pure | Layer::Adapter),
            Layer::Edge => matches!(other, Layer::Pure | Layer::Adapter | Layer::Engine),
            Layer::Binary => other != Layer::Binary,
        }
    }
}

/// What would let the outside world into a pure crate.
const IMPURE_CRATES: [&str; 9] =
    ["tokio", "rustix", "libc", "tonic", "hyper", "kube", "rand", "getrandom", "reqwest"];
const IMPURE_TEXT: [&str; 9] = [
    "std::fs",
    "std::process",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant::now",
    "SystemTime::now",
    "std::thread",
];

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
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = product.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
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
        }
    }
    none(&violations);
}

#[test]
fn unsafe_code_is_in_sys_only() {
    let mut violations = Vec::new();
    let mut blocks = 0;
    for package in packages() {
        for path in sources(&directory(&package).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let word =
                    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|w| w == "unsafe");
                if !word {
                    continue;
                }
                blocks += 1;
                if package.name != "sys" {
                    violations.push(format!("{}:{}: unsafe outside sys", shown(&path), at + 1));
                }
            }
        }
    }
    assert!(blocks > 5, "only {blocks} unsafe blocks were found: the test no longer sees sys");
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
                if line.trim_start().starts_with(concat!("#[ig", "nore")) {
                    violations.push(format!("{}:{}: an ignored test", shown(&path), at + 1));
                }
            }
        }
    }
    none(&violations);
}
