//! Command-line arguments of Kubernetes components: defaults, and what a machine configuration may do to them.
//!
//! Must never know which component it serves: the component passes its own [`Rules`].

use std::collections::BTreeMap;

/// What a user's value for an argument does to the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The user's values take the place of the default.
    Replace,
    /// The user's values are added to the default's comma-separated list.
    Append,
    /// The argument belongs to the system; naming it is an error.
    Deny,
}

/// How a component treats each argument by name.
pub type Rules = fn(&str) -> Merge;

/// An extra argument that cannot be taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArgumentError {
    /// The argument is set by the system.
    #[error(
        "extra argument \"{name}\" of {component} is set by the system and cannot be changed; remove it from the machine configuration"
    )]
    Denied {
        /// The component whose argument it is.
        component: &'static str,
        /// The argument, without dashes.
        name: String,
    },
}

/// A set of arguments, kept sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(BTreeMap<String, Vec<String>>);

impl Arguments {
    /// Sets one value.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.0.insert(name.to_owned(), vec![value.into()]);
        self
    }

    /// Sets several values; each becomes a flag of its own.
    pub fn set_all(&mut self, name: &str, values: impl IntoIterator<Item = String>) -> &mut Self {
        self.0.insert(name.to_owned(), values.into_iter().collect());
        self
    }

    /// Whether the argument is present.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes the argument away.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.0.remove(name);
        self
    }

    /// Merges a user's arguments in by the component's rules.
    pub fn merge(
        mut self,
        component: &'static str,
        extra: &BTreeMap<String, Vec<String>>,
        rules: Rules,
    ) -> Result<Self, ArgumentError> {
        for (name, values) in extra {
            match rules(name) {
                Merge::Deny => {
                    return Err(ArgumentError::Denied { component, name: name.clone() });
                }
                Merge::Append if self.contains(name) => {
                    let entry = self.0.entry(name.clone()).or_default();
                    let mut items: Vec<&str> = Vec::new();
                    for item in entry.iter().chain(values).flat_map(|list| list.split(',')) {
                        if !item.is_empty() && !items.contains(&item) {
                            items.push(item);
                        }
                    }
                    *entry = vec![items.join(",")];
                }
                Merge::Append | Merge::Replace => {
                    self.0.insert(name.clone(), values.clone());
                }
            }
        }
        Ok(self)
    }

    /// The command line: one `--name=value` for each value, sorted by name.
    pub fn flags(&self) -> Vec<String> {
        self.0
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("--{name}={value}")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(name: &str) -> Merge {
        match name {
            "feature-gates" => Merge::Append,
            "tls-cert-file" => Merge::Deny,
            _ => Merge::Replace,
        }
    }

    fn defaults() -> Arguments {
        let mut arguments = Arguments::default();
        arguments
            .set("feature-gates", "A=true")
            .set("profiling", "false")
            .set("tls-cert-file", "/x");
        arguments
    }

    fn extra(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        pairs
            .iter()
            .map(|(name, values)| {
                ((*name).to_owned(), values.iter().map(|v| (*v).to_owned()).collect())
            })
            .collect()
    }

    #[test]
    fn merges_by_rule() {
        let merged = defaults().merge(
            "x",
            &extra(&[
                ("feature-gates", &["B=true,A=true"]),
                ("profiling", &["true"]),
                ("issuer", &["a", "b"]),
            ]),
            rules,
        );
        assert_eq!(
            merged.map(|m| m.flags()),
            Ok(vec![
                "--feature-gates=A=true,B=true".to_owned(),
                "--issuer=a".to_owned(),
                "--issuer=b".to_owned(),
                "--profiling=true".to_owned(),
                "--tls-cert-file=/x".to_owned(),
            ])
        );
    }

    #[test]
    fn refuses_what_belongs_to_the_system() {
        let error =
            defaults().merge("kube-apiserver", &extra(&[("tls-cert-file", &["/y"])]), rules);
        assert_eq!(
            error,
            Err(ArgumentError::Denied {
                component: "kube-apiserver",
                name: "tls-cert-file".to_owned()
            })
        );
    }
}
