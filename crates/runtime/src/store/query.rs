//! Queries: labels and ids.

use regex::Regex;
use resource::{Metadata, Name};
use thiserror::Error;

/// A condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTerm {
    /// The label.
    pub key: Name,
    /// What is asked.
    pub operation: LabelOperation,
    /// Whether the answer is turned around.
    pub invert: bool,
}

/// What is asked of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelOperation {
    /// It is there.
    Exists,
    /// It has this value.
    Equal(Name),
    /// It has one of these values.
    In(Vec<Name>),
    /// Its value sorts before this one.
    Less(Name),
    /// Its value sorts before this one or is this one.
    LessOrEqual(Name),
    /// Its value is a smaller number.
    LessNumeric(Name),
    /// Its value is a number that is not larger.
    LessOrEqualNumeric(Name),
}

impl LabelTerm {
    /// A term that asks for a value.
    #[must_use]
    pub fn equal(key: &str, value: &str) -> Self {
        let operation = LabelOperation::Equal(value.into());
        Self { key: key.into(), operation, invert: false }
    }

    /// A term that asks for the label's presence.
    #[must_use]
    pub fn exists(key: &str) -> Self {
        Self { key: key.into(), operation: LabelOperation::Exists, invert: false }
    }

    fn matches(&self, metadata: &Metadata) -> bool {
        let value = metadata.labels.get(&self.key);
        let answer = value.is_some_and(|value| match &self.operation {
            LabelOperation::Exists => true,
            LabelOperation::Equal(wanted) => value == wanted,
            LabelOperation::In(wanted) => wanted.contains(value),
            LabelOperation::Less(bound) => value < bound,
            LabelOperation::LessOrEqual(bound) => value <= bound,
            LabelOperation::LessNumeric(bound) => numbers(value, bound).is_some_and(|(a, b)| a < b),
            LabelOperation::LessOrEqualNumeric(bound) => {
                numbers(value, bound).is_some_and(|(a, b)| a <= b)
            }
        });
        answer != self.invert
    }
}

/// Decimal numbers with an optional binary or decimal unit.
fn numbers(left: &str, right: &str) -> Option<(f64, f64)> {
    Some((number(left)?, number(right)?))
}

fn number(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 10] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
        ("kB", 1e3),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("B", 1.0),
    ];
    let text = text.trim();
    for (unit, factor) in UNITS {
        if let Some(digits) = text.strip_suffix(unit) {
            return digits.trim().parse::<f64>().ok().map(|value| value * factor);
        }
    }
    text.parse().ok()
}

/// Terms that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelQuery {
    /// The terms.
    pub terms: Vec<LabelTerm>,
}

/// Which resources are wanted: those of any of the label queries whose id matches.
#[derive(Clone, Debug, Default)]
pub struct Query {
    labels: Vec<LabelQuery>,
    id: Option<Regex>,
    exact: Option<Name>,
}

/// Why a query is not one.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The regular expression for ids is wrong.
    #[error("id query \"{pattern}\" is not a regular expression")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: Box<regex::Error>,
    },
}

impl Query {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// The resource with this id only.
    #[must_use]
    pub fn id(id: &str) -> Self {
        Self { exact: Some(id.into()), ..Self::default() }
    }

    /// Adds a label query; a resource needs to match one of those that were added.
    #[must_use]
    pub fn or_labels(mut self, query: LabelQuery) -> Self {
        self.labels.push(query);
        self
    }

    /// Asks for ids that match a regular expression somewhere.
    ///
    /// # Errors
    /// When the pattern is not a regular expression.
    pub fn with_id_pattern(mut self, pattern: &str) -> Result<Self, QueryError> {
        let regex = Regex::new(pattern).map_err(|source| QueryError::Pattern {
            pattern: pattern.to_owned(),
            source: Box::new(source),
        })?;
        self.id = Some(regex);
        Ok(self)
    }

    /// Whether nothing is asked.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.id.is_none() && self.exact.is_none()
    }

    /// Whether a resource with this metadata is wanted.
    #[must_use]
    pub fn matches(&self, metadata: &Metadata) -> bool {
        self.exact.as_ref().is_none_or(|id| *id == metadata.id)
            && self.id.as_ref().is_none_or(|regex| regex.is_match(&metadata.id))
            && (self.labels.is_empty()
                || self.labels.iter().any(|q| q.terms.iter().all(|term| term.matches(metadata))))
    }
}
