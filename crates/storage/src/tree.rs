//! The files that a file system image is made with. Knows names, and no format's rules for them.

use std::collections::BTreeMap;

use thiserror::Error;

/// A directory: entries by name, in the order of their names' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree<'a> {
    entries: BTreeMap<String, Node<'a>>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node<'a> {
    /// A file with its content.
    File(&'a [u8]),
    /// A directory.
    Directory(Tree<'a>),
}

/// Why a file cannot be in the tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TreeError {
    /// A name is empty, `.` or `..`, or has a character that no file system of ours takes.
    #[error("{path:?} has the part {part:?}, which cannot be a file's name")]
    Name {
        /// The whole path.
        path: String,
        /// The part that is wrong.
        part: String,
    },
    /// Something else has this name.
    #[error("{path:?} is in the tree already, or below something that is a file")]
    Taken {
        /// The path.
        path: String,
    },
}

impl<'a> Tree<'a> {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file at `path`, whose parts are separated by `/`, and makes its directories.
    ///
    /// ```
    /// let mut tree = storage::tree::Tree::new();
    /// tree.file("EFI/BOOT/BOOTX64.EFI", b"MZ")?;
    /// tree.file("loader/loader.conf", b"timeout 3\n")?;
    /// assert!(tree.file("EFI", b"").is_err());
    /// # Ok::<(), storage::tree::TreeError>(())
    /// ```
    ///
    /// # Errors
    /// When a name is impossible, or taken.
    pub fn file(&mut self, path: &str, content: &'a [u8]) -> Result<(), TreeError> {
        let taken = || TreeError::Taken { path: path.to_owned() };
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        check(path, name)?;
        let mut directory = self;
        for part in above.split('/').filter(|_| !above.is_empty()) {
            check(path, part)?;
            let fresh = || Node::Directory(Tree::default());
            match directory.entries.entry(part.to_owned()).or_insert_with(fresh) {
                Node::Directory(inner) => directory = inner,
                Node::File(_) => return Err(taken()),
            }
        }
        if directory.entries.contains_key(name) {
            return Err(taken());
        }
        directory.entries.insert(name.to_owned(), Node::File(content));
        Ok(())
    }

    /// The entries in the order of their names.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Node<'a>)> {
        self.entries.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// The number of entries of this directory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the directory has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn check(path: &str, part: &str) -> Result<(), TreeError> {
    let forbidden = |letter: char| letter.is_control() || r#"\/:*?"<>|"#.contains(letter);
    // 255 units is the limit of FAT's long names and of the Linux kernel.
    let length = part.encode_utf16().count().max(part.len());
    let wrong = part.is_empty()
        || length > 255
        || part.contains(forbidden)
        || part.ends_with(['.', ' '])
        || part.starts_with(' ');
    if wrong {
        return Err(TreeError::Name { path: path.to_owned(), part: part.to_owned() });
    }
    Ok(())
}
