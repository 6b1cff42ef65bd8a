//! The bill of materials in SPDX 2.3: the Rust crates, the Go modules, the Debian packages and the
//! kernel that an image is made of, each with its origin.
//!
//! It holds no time of its own and no random name, so that the image it goes into stays reproducible.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use registry::digest::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::component::{ComponentError, Workshop};
use crate::pins::ProfilePin;
use crate::tool::{self, ToolError};

/// The time of creation that is written when nobody says another: builds do not depend on a clock.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Why the bill of materials could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// A part is not to be had.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// An outside program failed.
    #[error("the bill of materials")]
    Tool(#[from] ToolError),
    /// cargo answered something that is not its metadata.
    #[error("reading cargo's metadata for the bill of materials")]
    Metadata(#[source] serde_json::Error),
    /// Cargo.lock could not be read.
    #[error("reading {} for the bill of materials", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    purl: String,
    name: String,
    version: String,
    license: String,
    sha256: Option<String>,
    /// Go's own hash of a module, which is no plain SHA-256 of a file.
    comment: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<CargoPackage>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct CargoPackage {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Makes the bill of materials of these Rust programs and of everything that is pinned for this
/// kind of machines.
pub fn build(
    workshop: &Workshop<'_>,
    workspace: &Path,
    programs: &[&str],
    profile: &ProfilePin,
    version: &str,
) -> Result<Vec<u8>, SbomError> {
    let mut packages = BTreeSet::new();
    rust_packages(workspace, programs, &mut packages)?;
    for pin in &workshop.pins().go {
        let directory = workshop.component(&pin.name)?;
        let mut go = Command::new("go");
        go.args(["version", "-m"]).arg(&directory);
        packages.extend(go_packages(&tool::text("reading Go build information", &mut go)?));
    }
    let architecture = &workshop.pins().architecture;
    let pins = workshop.pins();
    for pin in pins.debian.iter().chain([&pins.loader]).chain(profile.packages()) {
        packages.insert(Package {
            purl: format!("pkg:deb/debian/{}@{}?arch={architecture}", pin.package, pin.version),
            name: pin.package.clone(),
            version: pin.version.clone(),
            license: "NOASSERTION".to_owned(),
            sha256: Some(pin.sha256.clone()),
            comment: None,
        });
    }
    let document = document(&packages, version);
    // A value of strings, lists and maps always encodes.
    Ok(serde_json::to_vec_pretty(&document).unwrap_or_default())
}

/// The crates that end up in the programs: normal dependencies only, from their roots on.
fn rust_packages(
    workspace: &Path,
    programs: &[&str],
    packages: &mut BTreeSet<Package>,
) -> Result<(), SbomError> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace).args(["metadata", "--format-version", "1", "--locked"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-musl"]);
    let answer = tool::run("listing the Rust crates", &mut cargo)?;
    let metadata: Metadata = serde_json::from_slice(&answer).map_err(SbomError::Metadata)?;

    let path = workspace.join("Cargo.lock");
    let lock = |source| SbomError::Lock { path: path.clone(), source };
    let text = std::fs::read_to_string(&path).map_err(|error| lock(error.into()))?;
    let locked: Lock = toml::from_str(&text).map_err(|error| lock(error.into()))?;
    let sums: BTreeMap<(String, String), String> = locked
        .package
        .into_iter()
        .filter_map(|entry| Some(((entry.name, entry.version), entry.checksum?)))
        .collect();

    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut pending: Vec<&str> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_none() && programs.contains(&package.name.as_str()))
        .map(|package| package.id.as_str())
        .collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = pending.pop() {
        if !reached.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        pending.extend(
            dependencies
                .iter()
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                .map(|dependency| dependency.pkg.as_str()),
        );
    }
    for package in metadata.packages.iter().filter(|package| reached.contains(package.id.as_str()))
    {
        let key = (package.name.clone(), package.version.clone());
        packages.insert(Package {
            purl: format!("pkg:cargo/{}@{}", package.name, package.version),
            name: package.name.clone(),
            version: package.version.clone(),
            // Old crates separate alternatives with a slash, which SPDX does not know.
            license: package
                .license
                .as_deref()
                .map_or_else(|| "NOASSERTION".to_owned(), |license| license.replace('/', " OR ")),
            sha256: sums.get(&key).cloned(),
            comment: None,
        });
    }
    Ok(())
}

/// The modules that `go version -m` names.
fn go_packages(text: &str) -> Vec<Package> {
    let mut packages = Vec::new();
    let mut push = |path: &str, version: &str, sum: Option<&str>| {
        packages.push(Package {
            purl: format!("pkg:golang/{path}@{version}"),
            name: path.to_owned(),
            version: version.to_owned(),
            license: "NOASSERTION".to_owned(),
            sha256: None,
            comment: sum.map(|sum| format!("module hash {sum}")),
        });
    };
    for line in text.lines() {
        let fields: Vec<&str> = line.trim_start().split('\t').collect();
        match fields.as_slice() {
            ["dep" | "=>" | "mod", path, version, rest @ ..] if *version != "(devel)" => {
                push(path, version, rest.first().copied().filter(|sum| !sum.is_empty()));
            }
            [first] => {
                if let Some((_, version)) = first.rsplit_once(": go") {
                    push("stdlib", version, None);
                }
            }
            _ => {}
        }
    }
    packages
}

fn document(packages: &BTreeSet<Package>, version: &str) -> Value {
    let root = "SPDXRef-Ichor";
    let id = |package: &Package| {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = package.name.chars().map(plain).collect();
        let hash = Digest::of(package.purl.as_bytes());
        format!("SPDXRef-{name}-{}", hash.hex().get(..8).unwrap_or_default())
    };
    let mut list = vec![json!({
        "SPDXID": root,
        "name": "Ichor",
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
    })];
    let mut relations = vec![json!({
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": root,
    })];
    for package in packages {
        let mut value = json!({
            "SPDXID": id(package),
            "name": package.name,
            "versionInfo": package.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": package.license,
            "copyrightText": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package.purl,
            }],
        });
        if let Some(map) = value.as_object_mut() {
            if let Some(sum) = &package.sha256 {
                let sums = json!([{ "algorithm": "SHA256", "checksumValue": sum }]);
                map.insert("checksums".to_owned(), sums);
            }
            if let Some(comment) = &package.comment {
                map.insert("comment".to_owned(), json!(comment));
            }
        }
        list.push(value);
        relations.push(json!({
            "spdxElementId": root,
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": id(package),
        }));
    }
    let content = Digest::of(json!(list).to_string().as_bytes());
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("ichor-{version}"),
        "documentNamespace": format!("urn:ichor:sbom:{}", content.hex()),
        "creationInfo": { "created": CREATED, "creators": ["Tool: ichor-xtask"] },
        "packages": list,
        "relationships": relations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_a_go_program() {
        let text = "store/etcd: go1.26.8\n\tpath\tgo.etcd.io/etcd/server/v3\n\
            \tmod\tichor/components/etcd\t(devel)\t\n\
            \tdep\tgithub.com/a/b\tv1.2.3\th1:abc=\n\
            \tdep\tgithub.com/c/d\tv0.1.0\n\t=>\tgithub.com/e/f\tv0.2.0\th1:def=\n\
            \tbuild\t-trimpath=true\n";
        let found: Vec<_> = go_packages(text).into_iter().map(|package| package.purl).collect();
        assert_eq!(
            found,
            [
                "pkg:golang/stdlib@1.26.8",
                "pkg:golang/github.com/a/b@v1.2.3",
                "pkg:golang/github.com/c/d@v0.1.0",
                "pkg:golang/github.com/e/f@v0.2.0"
            ]
        );
    }

    #[test]
    fn crates_of_a_program_of_this_workspace() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut packages = BTreeSet::new();
        rust_packages(&workspace, &["xtask"], &mut packages).unwrap();
        let toml = packages.iter().find(|package| package.name == "toml").unwrap();
        assert!(toml.sha256.is_some() && toml.license.contains("MIT"), "{toml:?}");
        // Only tests need it, so no program contains it.
        assert!(packages.iter().all(|package| package.name != "proptest"));
    }

    #[test]
    fn document_names_each_package_once() {
        let packages: BTreeSet<Package> =
            go_packages("a: go1.2\n\tdep\tx\tv1\th1:q\n").into_iter().collect();
        let document = document(&packages, "1.0.0");
        let ids: BTreeSet<&str> = document["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| package["SPDXID"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(document["spdxVersion"], "SPDX-2.3");
        assert_eq!(document["relationships"].as_array().unwrap().len(), 3);
    }
}
