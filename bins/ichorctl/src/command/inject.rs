//! `inject`: Kubernetes manifests that get access to the API of the machines.

use anyhow::{Context, bail};
use yaml::{Node, Value};

use crate::{files, remote::RemoteArgs};

/// Arguments of `inject`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Mount a client configuration for the machines' API into the pods of manifests
    #[command(visible_alias = "tsa")]
    Serviceaccount(ServiceAccountArgs),
}

#[derive(Debug, clap::Args)]
struct ServiceAccountArgs {
    /// Manifests; - for standard input
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    file: String,
    /// Roles that the pods get
    #[arg(short, long, value_delimiter = ',', default_value = "os:reader")]
    roles: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(arguments: Args, _before: &RemoteArgs) -> anyhow::Result<()> {
    let Command::Serviceaccount(ServiceAccountArgs { file, roles }) = arguments.command;
    let bytes = files::read(&file)?;
    let text = String::from_utf8(bytes).with_context(|| format!("reading {file} as UTF-8"))?;
    let injected = inject(&text, &roles).with_context(|| format!("changing {file}"))?;
    files::print(&injected)
}

/// Name of the volume that holds the client configuration.
const VOLUME: &str = "talos-secrets";
/// Where pods find the client configuration.
const MOUNT_PATH: &str = "/var/run/secrets/talos.dev";

/// Gives the pods of every workload in a stream of manifests a client configuration; other documents stay as they are.
fn inject(text: &str, roles: &[String]) -> anyhow::Result<String> {
    let mut out: Vec<String> = Vec::new();
    for document in documents(text) {
        let parsed = yaml::parse(document.as_bytes())?;
        let [parsed] = parsed.as_slice() else {
            // Nothing but comments.
            if !document.trim().is_empty() {
                out.push(document);
            }
            continue;
        };
        let kind = parsed.root.entry("kind").and_then(Node::text).unwrap_or_default();
        let Some(path) = pod_spec(kind) else {
            if !parsed.root.is_null() || !document.trim().is_empty() {
                out.push(document);
            }
            continue;
        };
        let mut value = parsed.root.to_value();
        let Some(name) = metadata(&value, "name").filter(|name| !name.is_empty()) else {
            bail!("the {kind} on line {} has no metadata.name", parsed.root.at.line);
        };
        let secret = format!("{name}-{VOLUME}");
        let account = service_account(&secret, metadata(&value, "namespace"), roles);
        let Some(spec) = path.iter().try_fold(&mut value, |value, key| entry(value, key)) else {
            bail!("{kind} {name} has no {}", path.join("."));
        };
        mount(spec, &secret).with_context(|| format!("reading {kind} {name}"))?;
        out.push(yaml::to_string_compact(&account));
        out.push(yaml::to_string_compact(&value));
    }
    Ok(out.join("---\n"))
}

/// The texts of the documents of a stream, each ending with a line break.
fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        let rest = line
            .strip_prefix("---")
            .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '#']));
        match rest {
            None => {
                if let Some(last) = all.last_mut() {
                    last.push_str(line);
                    last.push('\n');
                }
            }
            Some(rest) => {
                all.push(String::new());
                if let (Some(last), false) = (all.last_mut(), rest.trim().is_empty()) {
                    last.push_str(rest.trim_start());
                    last.push('\n');
                }
            }
        }
    }
    all.retain(|document| !document.trim().is_empty());
    all
}

/// Where the specification of pods stands in a kind of object, when it has one.
fn pod_spec(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "Pod" => Some(&["spec"]),
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => Some(&["spec", "template", "spec"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}

fn metadata(value: &Value, key: &str) -> Option<String> {
    value.entry("metadata")?.entry(key)?.as_str().map(str::to_owned)
}

fn entry<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    match value {
        Value::Map(entries) => entries.iter_mut().find(|(k, _)| k == key).map(|(_, value)| value),
        _ => None,
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The object for which the machines make the secret.
fn service_account(name: &str, namespace: Option<String>, roles: &[String]) -> Value {
    let mut metadata = vec![("name".to_owned(), name.into())];
    metadata.extend(namespace.map(|namespace| ("namespace".to_owned(), namespace.into())));
    map([
        ("apiVersion", "talos.dev/v1alpha1".into()),
        ("kind", "ServiceAccount".into()),
        ("metadata", Value::Map(metadata)),
        ("spec", map([("roles", roles.to_vec().into())])),
    ])
}

/// Adds the volume, and a mount of it to every container.
fn mount(spec: &mut Value, secret: &str) -> anyhow::Result<()> {
    let volume = map([("name", VOLUME.into()), ("secret", map([("secretName", secret.into())]))]);
    add(spec, "volumes", volume)?;
    for list in ["containers", "initContainers"] {
        let containers = match entry(spec, list) {
            Some(Value::Seq(containers)) => containers,
            Some(Value::Null) | None => continue,
            Some(_) => bail!("{list} is not a list"),
        };
        for container in containers {
            let mount = map([("name", VOLUME.into()), ("mountPath", MOUNT_PATH.into())]);
            add(container, "volumeMounts", mount)?;
        }
    }
    Ok(())
}

/// Adds an item to a list of named items, unless one of that name is there; the list is made when it is missing.
fn add(value: &mut Value, list: &str, item: Value) -> anyhow::Result<()> {
    let Value::Map(entries) = value else { bail!("a container is not a mapping") };
    if !entries.iter().any(|(key, _)| key == list) {
        entries.push((list.to_owned(), Value::Null));
    }
    let Some((_, slot)) = entries.iter_mut().find(|(key, _)| key == list) else { return Ok(()) };
    match slot {
        Value::Null => *slot = Value::Seq(vec![item]),
        Value::Seq(items) => {
            if !items.iter().any(|other| other.entry("name") == item.entry("name")) {
                items.push(item);
            }
        }
        _ => bail!("{list} is not a list"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "# kept\napiVersion: v1\nkind:   Service\nmetadata: {name: web}\n";

    fn roles() -> Vec<String> {
        vec!["os:reader".to_owned(), "os:etcd:backup".to_owned()]
    }

    #[test]
    fn a_deployment_gets_a_volume_and_mounts() {
        let text = format!(
            "{SERVICE}---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: init\n      containers:\n      - name: main\n        volumeMounts:\n        - name: data\n          mountPath: /data\n"
        );
        let injected = inject(&text, &roles()).unwrap();
        let want = format!(
            "{SERVICE}---\napiVersion: talos.dev/v1alpha1\nkind: ServiceAccount\nmetadata:\n  name: web-talos-secrets\n  namespace: shop\nspec:\n  roles:\n  - os:reader\n  - os:etcd:backup\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: init\n        volumeMounts:\n        - name: talos-secrets\n          mountPath: /var/run/secrets/talos.dev\n      containers:\n      - name: main\n        volumeMounts:\n        - name: data\n          mountPath: /data\n        - name: talos-secrets\n          mountPath: /var/run/secrets/talos.dev\n      volumes:\n      - name: talos-secrets\n        secret:\n          secretName: web-talos-secrets\n"
        );
        assert_eq!(injected, want);
        // A second time only the account is repeated.
        let again = inject(&injected, &roles()).unwrap();
        assert_eq!(again.matches("secretName").count(), 1);
    }

    #[test]
    fn every_workload_is_known() {
        for (kind, before) in [
            ("Pod", "spec:"),
            ("StatefulSet", "spec: {template: {spec:"),
            ("DaemonSet", "spec: {template: {spec:"),
            ("Job", "spec: {template: {spec:"),
            ("CronJob", "spec: {jobTemplate: {spec: {template: {spec:"),
        ] {
            let close = "}".repeat(before.matches('{').count());
            let text = format!(
                "kind: {kind}\nmetadata: {{name: a}}\n{before} {{containers: [{{name: c}}]}}{close}\n"
            );
            let injected = inject(&text, &roles()).unwrap();
            assert_eq!(injected.matches(MOUNT_PATH).count(), 1, "{kind}\n{injected}");
        }
    }

    #[test]
    fn what_cannot_be_changed_is_named() {
        let error = |text: &str| format!("{:#}", inject(text, &roles()).unwrap_err());
        assert_eq!(error("kind: Pod\nspec: {}\n"), "the Pod on line 1 has no metadata.name");
        assert_eq!(error("kind: Job\nmetadata: {name: a}\n"), "Job a has no spec.template.spec");
        assert_eq!(
            error("kind: Pod\nmetadata: {name: a}\nspec: {containers: x}\n"),
            "reading Pod a: containers is not a list"
        );
    }
}
