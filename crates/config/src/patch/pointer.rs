//! JSON pointers into a value.

use yaml::Value;

/// A parsed JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Parses a pointer: empty, or beginning with a slash.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let tokens = text.strip_prefix('/')?.split('/');
        Some(Self(tokens.map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// The value it points to.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, token| match value {
            Value::Map(_) => value.entry(token),
            Value::Seq(items) => items.get(index(token, items.len())?),
            _ => None,
        })
    }

    /// The parent of the value it points to, and the last token.
    pub(crate) fn parent<'a, 'b>(
        &'b self,
        root: &'a mut Value,
    ) -> Option<(&'a mut Value, &'b str)> {
        let (last, tokens) = self.0.split_last()?;
        let parent = tokens.iter().try_fold(root, |value, token| match value {
            Value::Map(entries) => entries.iter_mut().find(|(key, _)| key == token).map(|(_, v)| v),
            Value::Seq(items) => {
                let at = index(token, items.len())?;
                items.get_mut(at)
            }
            _ => None,
        })?;
        Some((parent, last))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this pointer leads into the value of another.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }
}

/// The place of an item; a negative number counts from the end.
pub(crate) fn index(token: &str, len: usize) -> Option<usize> {
    if let Some(back) = token.strip_prefix('-') {
        return len.checked_sub(back.parse().ok()?);
    }
    let plain = token == "0" || !token.starts_with('0');
    let digits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit());
    (plain && digits).then(|| token.parse().ok()).flatten()
}
