//! Differences between two configurations: as text for people, and as patches that make one of the
//! other.

use yaml::Value;

use crate::Config;
use crate::document::Identity;
use crate::patch;

/// The most lines that are compared.
const LINES: usize = 75_000;

/// The unified difference of two configurations, comments left out; empty when there is none.
#[must_use]
pub fn text(old: &Config, new: &Config) -> String {
    text_of(&old.encode(), &new.encode())
}

/// The unified difference of two texts.
#[must_use]
pub fn text_of(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    if old.lines().count() + new.lines().count() > LINES {
        return format!("--- a\n+++ b\n(more than {LINES} lines, not compared)\n");
    }
    similar::TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header("a", "b")
        .to_string()
}

/// Patches that make `new` of `old`, to be applied in order: the first adds and deletes, the second
/// sets what had to be deleted first. Lists are compared as a whole.
///
/// Only the v1alpha1 document cannot be deleted by a patch; when `new` has none, it is left alone.
#[must_use]
pub fn patches(old: &Config, new: &Config) -> Vec<String> {
    let mut first: Vec<Value> = Vec::new();
    let mut second: Vec<Value> = Vec::new();
    for (identity, value) in documents(old) {
        if !identity.kind.is_empty() && find(new, &identity).is_none() {
            first.push(header(&identity, &value, vec![delete()]));
        }
    }
    for (identity, value) in documents(new) {
        let Some(before) = find(old, &identity) else {
            first.push(value);
            continue;
        };
        if before == value {
            continue;
        }
        let (mut now, mut later) = (Vec::new(), Vec::new());
        compare(&before, &value, &mut now, &mut later);
        let own = |entries: Vec<(String, Value)>| header(&identity, &value, entries);
        let steps: Vec<Value> =
            [now, later].into_iter().filter(|entries| !entries.is_empty()).map(own).collect();
        if identity.kind.is_empty() || reaches(old, new, &identity, &steps) {
            let mut steps = steps.into_iter();
            first.extend(steps.next());
            second.extend(steps.next());
        } else {
            // Some fields are reset by any patch of their document: it is made anew.
            first.push(header(&identity, &value, vec![delete()]));
            second.push(value);
        }
    }
    [first, second]
        .into_iter()
        .filter(|d| !d.is_empty())
        .map(|d| yaml::stream_to_string(&d))
        .collect()
}

/// Whether patches make the wanted document.
fn reaches(old: &Config, new: &Config, identity: &Identity, steps: &[Value]) -> bool {
    let only = |config: &Config| {
        let documents = config.all().iter().filter(|d| d.identity() == *identity).cloned();
        Config::new(None, documents.collect())
    };
    let loaded: Result<Vec<_>, _> =
        steps.iter().map(|step| patch::load(yaml::to_string(step).as_bytes())).collect();
    let result = loaded.ok().and_then(|patches| patch::apply_to(&only(old), &patches).ok());
    result.is_some_and(|result| result.encode() == only(new).encode())
}

fn documents(config: &Config) -> Vec<(Identity, Value)> {
    let legacy = config.v1alpha1().map(|_| Identity { kind: String::new(), name: String::new() });
    let others = config.all().iter().map(|document| document.identity());
    legacy.into_iter().chain(others).zip(config.values()).collect()
}

fn find(config: &Config, identity: &Identity) -> Option<Value> {
    documents(config).into_iter().find(|(other, _)| other == identity).map(|(_, value)| value)
}

fn delete() -> (String, Value) {
    ("$patch".to_owned(), "delete".into())
}

/// A patch document: what identifies it, then the entries.
fn header(identity: &Identity, value: &Value, entries: Vec<(String, Value)>) -> Value {
    let keys: &[&str] =
        if identity.kind.is_empty() { &["version"] } else { &["apiVersion", "kind", "name"] };
    let own = keys.iter().filter_map(|key| Some(((*key).to_owned(), value.entry(key)?.clone())));
    let mut all: Vec<(String, Value)> = own.collect();
    for entry in entries {
        if !all.iter().any(|(key, _)| *key == entry.0) {
            all.push(entry);
        }
    }
    Value::Map(all)
}

/// Fields that hold a certificate, a key or both.
const PAIRS: [&str; 4] = ["ca", "aggregatorCA", "serviceAccount", "clientIdentity"];

/// Compares two mappings: `now` changes and deletes, `later` sets what was deleted.
fn compare(
    old: &Value,
    new: &Value,
    now: &mut Vec<(String, Value)>,
    later: &mut Vec<(String, Value)>,
) {
    let removed = old.as_map().unwrap_or_default().iter();
    for (key, _) in removed.filter(|(key, _)| new.entry(key).is_none()) {
        now.push((key.clone(), Value::Map(vec![delete()])));
    }
    for (key, value) in new.as_map().unwrap_or_default() {
        let Some(before) = old.entry(key) else {
            now.push((key.clone(), value.clone()));
            continue;
        };
        if before == value {
            continue;
        }
        match (before, value) {
            (Value::Map(was), Value::Map(entries)) if !was.is_empty() && !entries.is_empty() => {
                let (mut inner, mut inner_later) = (Vec::new(), Vec::new());
                compare(before, value, &mut inner, &mut inner_later);
                // A pair of certificate and key is one value: half of it would blank the rest.
                if PAIRS.contains(&key.as_str())
                    && entries.iter().all(|(key, _)| matches!(key.as_str(), "crt" | "key"))
                {
                    now.push((key.clone(), value.clone()));
                    continue;
                }
                if !inner.is_empty() {
                    now.push((key.clone(), Value::Map(inner)));
                }
                if !inner_later.is_empty() {
                    later.push((key.clone(), Value::Map(inner_later)));
                }
            }
            // A list would be appended, a zero would be ignored, another type would be refused, and
            // of a URL only the given parts would change.
            _ if is_plain(before) && is_plain(value) => now.push((key.clone(), value.clone())),
            _ => {
                now.push((key.clone(), Value::Map(vec![delete()])));
                // An empty mapping that is written was given on purpose.
                if !is_empty(value) || matches!(value, Value::Map(_)) {
                    later.push((key.clone(), value.clone()));
                }
            }
        }
    }
}

/// A scalar that a patch can simply overwrite.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && !text.contains("://"),
        Value::Int(number) => *number != 0,
        Value::Uint(_) | Value::Bool(_) | Value::Plain(_) => true,
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null)
        || matches!(value, Value::Seq(items) if items.is_empty())
        || matches!(value, Value::Map(entries) if entries.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{patches, text};
    use crate::{load, patch};

    #[track_caller]
    fn check(old: &str, new: &str) -> Vec<String> {
        let old = load(old.as_bytes()).expect("old loads");
        let new = load(new.as_bytes()).expect("new loads");
        let texts = patches(&old, &new);
        let loaded: Vec<_> =
            texts.iter().map(|text| patch::load(text.as_bytes()).expect("a patch")).collect();
        let made = patch::apply_to(&old, &loaded).unwrap_or_else(|e| panic!("{e}\n{texts:#?}"));
        assert_eq!(made.encode(), new.encode(), "{texts:#?}");
        texts
    }

    #[test]
    fn patches_lead_from_one_to_the_other() {
        let base = "version: v1alpha1\nmachine: {type: worker, token: a, certSANs: [a, b], sysctls: {a: '1', b: '2'}, ca: {crt: YQ==, key: YQ==}}\ncluster: {controlPlane: {endpoint: 'https://a:1/x'}}\n";
        check(base, base);
        check(base, &base.replace("[a, b]", "[b]"));
        check(base, &base.replace("[a, b]", "[]"));
        check(base, &base.replace("b: '2'", "c: ''"));
        check(base, &base.replace("a: '1'", "a: ''"));
        check(base, &base.replace("https://a:1/x", "https://b"));
        check(base, &base.replace("key: YQ==", "key: ''"));
        check(base, &base.replace("token: a, ", "network: {hostname: h}, "));
        let link = "apiVersion: v1alpha1\nkind: LinkConfig\nname: a\nmtu: 1\n";
        check(&format!("{base}---\n{link}"), base);
        check(base, &format!("{base}---\n{link}"));
        check(link, &link.replace("mtu: 1", "addresses: [{address: 10.0.0.1/8}]"));
        let volume = "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {diskSelector: {match: system_disk}, minSize: 1GiB}\n";
        check(volume, &volume.replace("minSize: 1GiB", "minSize: 1GiB, grow: true"));
    }

    #[test]
    fn lists_take_two_steps() {
        let texts = check("machine: {certSANs: [a]}\n", "machine: {certSANs: [b]}\n");
        assert_eq!(
            texts,
            [
                "version: \"\"\nmachine:\n    certSANs:\n        $patch: delete\n",
                "version: \"\"\nmachine:\n    certSANs:\n        - b\n"
            ]
        );
    }

    #[test]
    fn unified_text() {
        let old = load(b"apiVersion: v1alpha1\nkind: KubePrismConfig\nport: 1\n").expect("loads");
        let new = load(b"apiVersion: v1alpha1\nkind: KubePrismConfig\nport: 2\n").expect("loads");
        assert_eq!(
            text(&old, &new),
            "--- a\n+++ b\n@@ -1,3 +1,3 @@\n apiVersion: v1alpha1\n kind: KubePrismConfig\n-port: 1\n+port: 2\n"
        );
        assert_eq!(text(&old, &old), "");
    }
}
