//! The reference pages below `docs/configuration` are those that the program generates, and their examples are
//! true. `DOCS=overwrite cargo test -p config --test docs` writes them anew.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::reference;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration")
}

/// Every page with its name.
fn pages() -> BTreeMap<String, String> {
    let kinds = reference::sections().map(|(kind, _)| kind);
    let mut pages: BTreeMap<String, String> = kinds
        .map(|kind| (format!("{kind}.md"), reference::page(kind).expect("every kind has a page")))
        .collect();
    pages.insert("README.md".to_owned(), reference::index());
    let mut schema = serde_json::to_string_pretty(&reference::schema()).expect("JSON");
    schema.push('\n');
    pages.insert("schema.json".to_owned(), schema);
    pages
}

#[test]
fn pages_are_up_to_date() {
    let (directory, pages) = (directory(), pages());
    assert_eq!(pages.len(), 92, "89 kinds, v1alpha1, the index and the schema");
    let overwrite = std::env::var("DOCS").is_ok_and(|value| value == "overwrite");
    if overwrite {
        std::fs::create_dir_all(&directory).expect("a directory");
    }
    let mut stale: Vec<String> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| !pages.contains_key(name))
        .collect();
    for (name, text) in &pages {
        let path = directory.join(name);
        if std::fs::read_to_string(&path).ok().as_ref() == Some(text) {
            continue;
        }
        if overwrite {
            std::fs::write(&path, text).expect("writable");
        } else {
            stale.push(name.clone());
        }
    }
    assert!(
        stale.is_empty(),
        "stale pages in docs/configuration: {stale:?}; write them with DOCS=overwrite cargo test -p config --test docs"
    );
}

/// What stands in the committed pages is what a user copies: each example loads, and is written as it stands there.
#[test]
fn examples_of_the_pages_are_true() {
    let mut examples = 0;
    for (name, text) in pages().iter().filter(|(name, _)| name.ends_with(".md")) {
        for block in text.split("```yaml\n").skip(1) {
            let example = block.split("```").next().expect("a block ends");
            let config = config::load(example.as_bytes())
                .unwrap_or_else(|errors| panic!("{name}: {errors}\n{example}"));
            assert_eq!(config.encode(), example, "{name}");
            examples += 1;
        }
    }
    assert_eq!(examples, 90);
}

/// Every relative link leads to a page.
#[test]
fn links_lead_somewhere() {
    let pages = pages();
    for (name, text) in &pages {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            assert!(pages.contains_key(target), "{name} links to {link}");
        }
    }
}
