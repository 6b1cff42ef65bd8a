//! The kernel's command line: parameters in their order, as the kernel itself takes them apart.
//!
//! The rules are those of the kernel's `Documentation/admin-guide/kernel-parameters.rst`: words
//! are separated by white space, double quotes protect it and are dropped, dashes and underscores
//! in names are the same, and what follows `--` is for the first process. What the words mean to
//! a node is in [`arguments`].

pub mod arguments;

use std::fmt;
use std::str::FromStr;

use crate::name::same;

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, before the first `=`.
    pub name: String,
    /// What follows the first `=`; none without it.
    pub value: Option<String>,
}

/// A command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    parameters: Vec<Parameter>,
    init: Vec<String>,
}

/// Why a parameter cannot be put on a command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The name is empty, or has a character that would end it.
    #[error(
        "`{name}` is no name of a kernel parameter: it must not be empty, `--`, or have white space, `=` or a double quote"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The kernel has no way to write the value.
    #[error(
        "the kernel parameter {name} cannot have the value `{value}`: double quotes and line ends cannot be written"
    )]
    Value {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
    },
}

impl Parameter {
    /// A parameter, if the kernel's syntax can express it.
    pub fn new(name: &str, value: Option<&str>) -> Result<Self, ParameterError> {
        let bad = |c: char| c.is_ascii_whitespace() || c == '=' || c == '"' || c.is_control();
        if name.is_empty() || name.contains(bad) || (name == "--" && value.is_none()) {
            return Err(ParameterError::Name { name: name.to_owned() });
        }
        if let Some(value) = value.filter(|value| value.contains(['"', '\n', '\r', '\0'])) {
            return Err(ParameterError::Value { name: name.to_owned(), value: value.to_owned() });
        }
        Ok(Self { name: name.to_owned(), value: value.map(str::to_owned) })
    }

    /// One word of a command line. Quotes inside of names, which no parameter has, are kept out.
    fn of(word: &str) -> Self {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        Self { name: name.to_owned(), value: value.map(str::to_owned) }
    }
}

impl CommandLine {
    /// An empty command line.
    pub fn new() -> Self {
        Self::default()
    }

    /// The parameters in their order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The words after `--`, which the kernel hands to the first process.
    pub fn init(&self) -> &[String] {
        &self.init
    }

    /// Adds a parameter at the end.
    pub fn push(&mut self, parameter: Parameter) -> &mut Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds all of another command line at the end.
    pub fn extend(&mut self, other: &Self) -> &mut Self {
        self.parameters.extend_from_slice(&other.parameters);
        self.init.extend_from_slice(&other.init);
        self
    }

    /// Removes every parameter of this name.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.parameters.retain(|parameter| !same(&parameter.name, name));
        self
    }

    /// Whether there is a parameter of this name, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| same(&parameter.name, name))
    }

    /// The values of every parameter of this name, in their order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.parameters.iter().filter(move |parameter| same(&parameter.name, name));
        named.filter_map(|parameter| parameter.value.as_deref())
    }

    /// The last value of a parameter: a later one replaces an earlier one.
    pub fn last(&self, name: &str) -> Option<&str> {
        let named = self.parameters.iter().filter(|parameter| same(&parameter.name, name));
        named.filter_map(|parameter| parameter.value.as_deref()).next_back()
    }
}

/// Cuts a line into words; a quote protects white space up to the next one and is dropped.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut begun = false;
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            c if !quoted && (c.is_ascii_whitespace() || c == '\0') => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// Never fails: the kernel takes any line.
impl From<&str> for CommandLine {
    fn from(line: &str) -> Self {
        let mut words = words(line).into_iter();
        let mut parameters = Vec::new();
        for word in words.by_ref() {
            if word == "--" {
                break;
            }
            parameters.push(Parameter::of(&word));
        }
        // An empty word has no name; the kernel drops it too.
        parameters.retain(|parameter| !parameter.name.is_empty());
        Self { parameters, init: words.collect() }
    }
}

impl FromStr for CommandLine {
    type Err = std::convert::Infallible;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(line))
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spaced = |text: &str| text.contains(|c: char| c.is_ascii_whitespace() || c == '\0');
        match &self.value {
            // A name can only have white space when it was quoted together with its value.
            _ if spaced(&self.name) => match &self.value {
                Some(value) => write!(f, "\"{}={value}\"", self.name),
                None => write!(f, "\"{}\"", self.name),
            },
            Some(value) if spaced(value) => write!(f, "{}=\"{value}\"", self.name),
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The line as the kernel would take it apart again, one space between words.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, parameter) in self.parameters.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            // A quoted `--` is a word like any other only inside of quotes that the kernel drops,
            // so it cannot stand here: parsing never yields it as a parameter.
            write!(f, "{space}{parameter}")?;
        }
        if !self.init.is_empty() {
            f.write_str(if self.parameters.is_empty() { "--" } else { " --" })?;
        }
        for word in &self.init {
            if word.is_empty() || word.contains(|c: char| c.is_ascii_whitespace() || c == '\0') {
                write!(f, " \"{word}\"")?;
            } else {
                write!(f, " {word}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(line: &str) -> Vec<(String, Option<String>)> {
        let line = CommandLine::from(line);
        line.parameters().iter().map(|p| (p.name.clone(), p.value.clone())).collect()
    }

    #[test]
    fn words_quotes_and_what_is_for_the_first_process() {
        type Pairs = &'static [(&'static str, Option<&'static str>)];
        let table: [(&str, Pairs); 8] = [
            ("", &[]),
            ("  quiet\tpanic=10 \n", &[("quiet", None), ("panic", Some("10"))]),
            ("slab_nomerge= x", &[("slab_nomerge", Some("")), ("x", None)]),
            ("a=\"b c\" d", &[("a", Some("b c")), ("d", None)]),
            ("\"a=b c\" d", &[("a", Some("b c")), ("d", None)]),
            ("url=http://h/?a=b&c=d", &[("url", Some("http://h/?a=b&c=d"))]),
            ("a=\"open to the end", &[("a", Some("open to the end"))]),
            ("a -- b=c", &[("a", None)]),
        ];
        for (line, expected) in table {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
                .collect();
            assert_eq!(pairs(line), expected, "{line}");
        }
        assert_eq!(CommandLine::from("a -- b=c d").init(), ["b=c", "d"]);
    }

    #[test]
    fn later_values_replace_earlier_ones_and_dashes_are_underscores() {
        let line = CommandLine::from("console=tty0 console=ttyS0 init-on-alloc=1");
        assert_eq!(line.last("console"), Some("ttyS0"));
        assert_eq!(line.values("console").collect::<Vec<_>>(), ["tty0", "ttyS0"]);
        assert_eq!(line.last("init_on_alloc"), Some("1"));
        assert!(line.has("init_on-alloc") && !line.has("quiet"));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        assert!(Parameter::new("a", Some("b c")).is_ok());
        for (name, value) in [("", None), ("a b", None), ("a=b", None), ("--", None)] {
            assert!(matches!(Parameter::new(name, value), Err(ParameterError::Name { .. })));
        }
        assert!(matches!(Parameter::new("a", Some("\"")), Err(ParameterError::Value { .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(line in "[a-c=\" \\-\t0\n]{0,40}") {
            let first = CommandLine::from(line.as_str());
            let again = CommandLine::from(first.to_string().as_str());
            prop_assert_eq!(again, first);
        }
    }
}
