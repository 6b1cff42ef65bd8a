//! What is known about a resource type before any resource of it exists.

use std::fmt;
use std::sync::Arc;

use crate::erased::AnySpec;
use crate::wire::DecodeError;

/// A column that `get` prints after the common ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub name: &'static str,
    /// Where the value is in the YAML form, as a JSONPath.
    pub path: &'static str,
}

/// Reads a spec from its protobuf encoding.
pub type Decode = fn(&[u8]) -> Result<Arc<dyn AnySpec>, DecodeError>;

/// A resource type.
#[derive(Clone, Copy)]
pub struct Definition {
    /// The type, like `LinkStatuses.net.talos.dev`.
    pub type_name: &'static str,
    /// The namespace looked in when none is named.
    pub namespace: &'static str,
    /// Short names given by hand; [`Definition::aliases`] adds the automatic ones.
    pub aliases: &'static [&'static str],
    /// Whether short names are made from the type's name too.
    pub automatic_aliases: bool,
    /// Extra columns of `get`.
    pub columns: &'static [Column],
    /// Whether only administrators may read it.
    pub sensitive: bool,
    /// Reads a spec of this type.
    pub decode: Decode,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition")
            .field("type_name", &self.type_name)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Definition {
    /// The id of the type's own resource: the type in lower case.
    #[must_use]
    pub fn id(&self) -> String {
        self.type_name.to_lowercase()
    }

    /// The part of the type before its first dot.
    #[must_use]
    pub fn plural(&self) -> &'static str {
        self.type_name.split('.').next().unwrap_or(self.type_name)
    }

    /// The name of one such resource.
    #[must_use]
    pub fn display_type(&self) -> String {
        singular(self.plural())
    }

    /// The short names, those given by hand first.
    #[must_use]
    pub fn aliases(&self) -> Vec<String> {
        let mut aliases: Vec<String> = self.aliases.iter().map(ToString::to_string).collect();
        if !self.automatic_aliases {
            return aliases;
        }
        let display = self.display_type();
        let capitals: String =
            display.chars().filter(char::is_ascii_uppercase).collect::<String>().to_lowercase();
        let mut automatic = vec![display.to_lowercase()];
        if capitals.len() > 1 {
            automatic.push(capitals.clone());
            if !capitals.ends_with('s') {
                automatic.push(format!("{capitals}s"));
            }
        }
        automatic.retain(|alias| !aliases.contains(alias));
        aliases.extend(automatic);
        aliases
    }

    /// Every name a person may type: the plural alone and with each prefix of the rest of the
    /// type, then the short names.
    #[must_use]
    pub fn all_aliases(&self) -> Vec<String> {
        let lower = self.id();
        let mut names: Vec<String> = lower
            .match_indices('.')
            .map(|(at, _)| lower.get(..at).unwrap_or_default().to_owned())
            .collect();
        names.extend(self.aliases());
        names
    }
}

fn singular(plural: &str) -> String {
    let cut = |n: usize| plural.get(..plural.len() - n).unwrap_or(plural).to_owned();
    if plural.ends_with("ies") {
        cut(3) + "y"
    } else if ["uses", "sses", "shes"].iter().any(|end| plural.ends_with(end)) {
        cut(2)
    } else if plural.ends_with('s') {
        cut(1)
    } else {
        plural.to_owned()
    }
}
