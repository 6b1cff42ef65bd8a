//! Takes the deletions out of a patch document, so that the rest can be read like any document.

use yaml::{Entry, Node, NodeKind, Position};

use super::{Path, Step};

/// Why a deletion cannot be carried out, whatever it is applied to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// A deletion below a list item.
    #[error("cannot delete an inner key in '{path}'")]
    BelowItem {
        /// The list item.
        path: String,
        /// Where the deletion stands.
        at: Position,
    },
    /// A list item to delete without a key to find it by.
    #[error("a list item to delete in '{path}' needs a key that finds it (line {})", at.line)]
    NoSelector {
        /// The list.
        path: String,
        /// Where the deletion stands.
        at: Position,
    },
}

/// The key that marks a deletion.
const MARK: &str = "$patch";

fn is_mark(entry: &Entry) -> bool {
    entry.key == MARK && entry.value.scalar().is_some_and(|scalar| scalar.text == "delete")
}

/// Whether a mapping is marked for deletion.
pub(crate) fn is_marked(node: &Node) -> bool {
    node.entries().is_some_and(|entries| entries.iter().any(is_mark))
}

/// Takes every deletion out of a document; parents that become empty by it go, too.
pub(crate) fn extract(root: &mut Node) -> Result<Vec<Path>, DeleteError> {
    let mut found = Vec::new();
    walk(root, &mut Path::default(), false, &mut found)?;
    Ok(found)
}

/// Walks a node; returns whether it lost its last content.
fn walk(
    node: &mut Node,
    path: &mut Path,
    below_item: bool,
    found: &mut Vec<Path>,
) -> Result<bool, DeleteError> {
    let at = node.at;
    match &mut node.kind {
        NodeKind::Scalar(_) => Ok(false),
        NodeKind::Map(entries) => {
            let before = entries.len();
            let mut kept = Vec::with_capacity(before);
            for mut entry in std::mem::take(entries) {
                path.0.push(Step::Key(entry.key.clone()));
                let drop = if is_marked(&entry.value) {
                    if below_item {
                        path.0.pop();
                        let (path, at) = (path.to_string(), entry.at);
                        return Err(DeleteError::BelowItem { path, at });
                    }
                    found.push(path.clone());
                    true
                } else {
                    walk(&mut entry.value, path, below_item, found)?
                };
                path.0.pop();
                if !drop {
                    kept.push(entry);
                }
            }
            *entries = kept;
            Ok(before > 0 && entries.is_empty())
        }
        NodeKind::Seq(items) => {
            let before = items.len();
            let mut kept = Vec::with_capacity(before);
            for mut item in std::mem::take(items) {
                if is_marked(&item) {
                    let selector = item
                        .entries()
                        .and_then(|entries| entries.iter().find(|entry| !is_mark(entry)))
                        .and_then(|entry| {
                            Some((entry.key.clone(), entry.value.scalar()?.text.clone()))
                        });
                    let Some((key, value)) = selector else {
                        return Err(DeleteError::NoSelector { path: path.to_string(), at });
                    };
                    if below_item {
                        return Err(DeleteError::BelowItem { path: path.to_string(), at: item.at });
                    }
                    path.0.push(Step::Item { key, value });
                    found.push(path.clone());
                    path.0.pop();
                } else if !walk(&mut item, path, true, found)? {
                    kept.push(item);
                }
            }
            *items = kept;
            Ok(before > 0 && items.is_empty())
        }
    }
}
