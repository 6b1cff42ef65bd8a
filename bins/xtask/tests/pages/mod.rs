//! The pages of the documentation, and the commands in them.

use std::fs;
use std::path::{Path, PathBuf};

/// Every page that a user or a developer reads.
pub(crate) const PAGES: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "docs/getting-started.md",
    "docs/how-a-node-works.md",
    "docs/installing.md",
    "docs/local-clusters.md",
    "docs/machines.md",
    "docs/troubleshooting.md",
];

/// The root of the checkout.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A page's text.
pub(crate) fn read(page: &str) -> String {
    let path = checkout().join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

/// The lines of the blocks that hold commands, with their numbers.
pub(crate) fn commands(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && !line.is_empty() {
            found.push((at + 1, line));
        }
    }
    found
}
