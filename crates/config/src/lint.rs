//! Finds fields that documents have replaced, and rewrites them into those documents.
//!
//! [`fix`] changes the form and never the meaning: what a [`View`](crate::view::View) answers stays
//! the same. A field without an equivalent document stays where it is.

mod cluster;
mod kubernetes;
mod links;
mod machine;

use yaml::Value;

use crate::Config;
use crate::document::{Document, Kind};
use crate::field::{Field, Shape};
use crate::section::SectionInfo;

/// A deprecated field that a configuration uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The path of the field.
    pub path: String,
    /// What replaces it; empty when it has no effect at all.
    pub instead: &'static str,
}

impl Lint {
    /// What is to be said about the field.
    #[must_use]
    pub fn message(&self) -> String {
        let Self { path, instead } = self;
        if instead.is_empty() {
            format!("{path} has no effect any more")
        } else {
            format!("{path} is deprecated: use {instead}")
        }
    }

    /// Why rewriting leaves the field where it is.
    #[must_use]
    pub fn stays(&self) -> &'static str {
        match self.path.as_str() {
            _ if self.instead.is_empty() => "no document takes it",
            "machine.network.interfaces" => {
                "one of them has no document that says the same (a selector that may find several links, an address of Equinix Metal), and a part of them would mean another thing"
            }
            "machine.kubelet" => "further mounts and the manifests directory have no document",
            "machine.install" => {
                "kernel arguments, extensions and the flag for old firmware have no document"
            }
            "machine.files" => {
                "files that are appended to, lie below /var or belong to the system have no document"
            }
            "machine.disks" => {
                "a user volume has a partition and a place of its own, where what is on the old ones would not be found"
            }
            "cluster.apiServer" | "cluster.controllerManager" | "cluster.scheduler" => {
                "volumes and some arguments have no document"
            }
            _ => "no document says the same",
        }
    }
}

/// The deprecated fields that a configuration uses.
#[must_use]
pub fn lint(config: &Config) -> Vec<Lint> {
    let mut found = Vec::new();
    if let Some(legacy) = config.v1alpha1() {
        walk(crate::reference::v1alpha1(), &Field::encode(legacy), "", &mut found);
    }
    // Every configuration of the contract still says that it is kept.
    found.retain(|lint| lint.path != "persist");
    found
}

fn walk(section: SectionInfo, value: &Value, prefix: &str, found: &mut Vec<Lint>) {
    for field in section.flat() {
        let Some(value) = value.entry(field.name) else { continue };
        let path = format!("{prefix}{}", field.name);
        if field.ignored || !field.instead.is_empty() {
            found.push(Lint { path, instead: field.instead });
            continue;
        }
        below(&(field.shape)(), value, &path, found);
    }
}

fn below(shape: &Shape, value: &Value, path: &str, found: &mut Vec<Lint>) {
    match (shape, value) {
        (Shape::Section(section), Value::Map(_)) => {
            walk(*section, value, &format!("{path}."), found);
        }
        (Shape::List(item), Value::Seq(items)) => {
            for (number, value) in items.iter().enumerate() {
                below(item, value, &format!("{path}[{number}]"), found);
            }
        }
        _ => {}
    }
}

/// Rewrites deprecated fields into the documents that replace them.
#[must_use]
pub fn fix(config: &Config) -> Config {
    let Some(legacy) = config.v1alpha1() else { return config.clone() };
    let mut fixer =
        Fixer { before: config, legacy: legacy.clone(), documents: config.documents.clone() };
    fixer.machine();
    fixer.cluster();
    fixer.kubernetes();
    Config::new(Some(fixer.legacy), fixer.documents)
}

/// A configuration while it is rewritten.
struct Fixer<'a> {
    before: &'a Config,
    legacy: crate::v1alpha1::V1Alpha1,
    documents: Vec<Box<dyn Document>>,
}

impl Fixer<'_> {
    /// Whether a document of a kind is there already; the field beside it then has no effect.
    fn has<K: Kind>(&self) -> bool {
        self.documents.iter().any(|document| document.as_any().is::<K>())
    }

    fn has_named<K: Kind>(&self, name: &str) -> bool {
        let mut found = self.documents.iter().filter_map(|d| d.as_any().downcast_ref::<K>());
        found.any(|document| document.name() == name)
    }

    fn add(&mut self, document: impl Document + 'static) {
        self.documents.push(Box::new(document));
    }

    /// The document of a kind without a name, made when it is not there.
    fn document<K: Kind>(&mut self) -> Option<&mut K> {
        if !self.has::<K>() {
            self.add(K::default());
        }
        self.documents.iter_mut().find_map(|document| document.as_any_mut().downcast_mut())
    }
}

/// A name that Kubernetes takes, made of any text.
fn object_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let name: String =
        lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    let short: String = name.chars().take(200).collect();
    if short.is_empty() { "unnamed".to_owned() } else { short }
}
