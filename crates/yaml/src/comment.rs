//! Comments to write beside a value, found by the path of the key they belong to.

use std::collections::HashMap;

/// The comments of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comment {
    /// Lines above the key, without `#`.
    pub head: Vec<String>,
    /// Text at the end of the key's line, without `#`.
    pub line: Option<String>,
    /// Lines below the value, without `#`, at the key's column.
    pub foot: Vec<String>,
}

/// Comments by path; a path is the list of keys and item numbers from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments {
    by_path: HashMap<Vec<String>, Comment>,
}

impl Comments {
    /// Sets the comment of a path.
    pub fn insert(&mut self, path: Vec<String>, comment: Comment) {
        self.by_path.insert(path, comment);
    }

    /// The comment of a path.
    #[must_use]
    pub fn at(&self, path: &[String]) -> Option<&Comment> {
        if self.by_path.is_empty() { None } else { self.by_path.get(path) }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }
}
