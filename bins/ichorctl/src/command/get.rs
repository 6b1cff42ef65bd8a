//! `get`: resources, by the definitions that the machine itself serves.

use api::cosi::resource::{EventType, GetRequest, ListRequest, Resource, WatchRequest};
use client::{CallError, Named, Node};
use serde_json::{Map, Value as Json};
use yaml::{Value, path::Template};

use crate::{
    files,
    output::{age, table::Table, value},
    remote::{self, InsecureArgs, RemoteArgs},
};

const DEFINITIONS: &str = "ResourceDefinitions.meta.cosi.dev";

/// How to print.
#[derive(Clone, Debug)]
enum Output {
    Table,
    Yaml,
    Json,
    Path(Template),
}

fn output(text: &str) -> Result<Output, String> {
    match text {
        "table" => Ok(Output::Table),
        "yaml" => Ok(Output::Yaml),
        "json" => Ok(Output::Json),
        _ => match text.strip_prefix("jsonpath=") {
            Some(path) => {
                Template::parse(path).map(Output::Path).map_err(|error| error.to_string())
            }
            None => Err("expected table, yaml, json or jsonpath=EXPRESSION".to_owned()),
        },
    }
}

/// Arguments of `get`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Type of the resources; `ichorctl get rd` lists all types and their aliases
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Resource of that type; all of them without
    id: Option<String>,
    /// Form of the output: table, yaml, json, jsonpath=EXPRESSION
    #[arg(short, long, default_value = "table", value_parser = output)]
    output: Output,
    /// Go on printing changes
    #[arg(short, long)]
    watch: bool,
    /// Namespace of the resources [default: the type's own]
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

/// A resource type, as its definition says.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) kind: String,
    pub(crate) display: String,
    pub(crate) namespace: String,
    columns: Vec<(String, Template)>,
}

impl Definition {
    fn read(resource: &Resource) -> anyhow::Result<(Self, Vec<String>)> {
        let spec = spec(resource)?;
        let text = |key: &str| spec.entry(key).map(value::cell).unwrap_or_default();
        let mut columns = Vec::new();
        for column in spec.entry("printColumns").and_then(Value::as_seq).unwrap_or_default() {
            let field = |key: &str| column.entry(key).map(value::cell).unwrap_or_default();
            columns.push((field("name").to_uppercase(), Template::parse(&field("jsonPath"))?));
        }
        let mut names: Vec<String> = spec
            .entry("allAliases")
            .and_then(Value::as_seq)
            .unwrap_or_default()
            .iter()
            .map(value::cell)
            .collect();
        names.push(id(resource).to_owned());
        let definition = Self {
            kind: text("type"),
            display: text("displayType"),
            namespace: text("defaultNamespace"),
            columns,
        };
        Ok((definition, names))
    }
}

fn id(resource: &Resource) -> &str {
    resource.metadata.as_ref().map_or("", |metadata| metadata.id.as_str())
}

/// The spec as a value.
pub(crate) fn spec(resource: &Resource) -> anyhow::Result<Value> {
    let text = resource.spec.as_ref().map_or("", |spec| spec.yaml_spec.as_str());
    if text.trim().is_empty() {
        return Ok(Value::Map(Vec::new()));
    }
    Ok(yaml::parse(text.as_bytes())?
        .into_iter()
        .next()
        .map(|document| document.root.to_value())
        .unwrap_or_default())
}

/// Every resource of a type.
pub(crate) async fn list(
    node: &Node,
    namespace: &str,
    kind: &str,
) -> Result<Vec<Resource>, CallError> {
    const CALL: &str = "State/List";
    let request =
        ListRequest { namespace: namespace.to_owned(), r#type: kind.to_owned(), options: None };
    let mut stream = node.state().list(request).await.named(node, CALL)?;
    let mut resources = Vec::new();
    while let Some(answer) =
        stream.message().await.map_err(|status| CallError::new(node, CALL, status))?
    {
        resources.extend(answer.resource);
    }
    Ok(resources)
}

/// Finds the definition that a name on the command line means.
pub(crate) async fn define(node: &Node, name: &str) -> anyhow::Result<Definition> {
    let wanted = name.to_lowercase();
    let mut found = Vec::new();
    for resource in list(node, "meta", DEFINITIONS).await? {
        let (definition, names) = Definition::read(&resource)?;
        if names.iter().any(|name| name.to_lowercase() == wanted) {
            found.push(definition);
        }
    }
    let kinds: Vec<&str> = found.iter().map(|definition| definition.kind.as_str()).collect();
    match kinds.as_slice() {
        [] => anyhow::bail!(
            "{} has no resource type {name:?}; `ichorctl get rd` lists the types",
            node.name()
        ),
        [_] => {}
        several => anyhow::bail!(
            "{name:?} means more than one resource type: {}; name one in full",
            several.join(", ")
        ),
    }
    found.pop().ok_or_else(|| anyhow::anyhow!("the resource type {name:?} is not known"))
}

/// Prints resources.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    remote::block_on(async {
        let Some(first) = nodes.first() else { return Ok(()) };
        let definition = define(first, &arguments.kind).await?;
        let namespace = arguments.namespace.clone().unwrap_or_else(|| definition.namespace.clone());
        if arguments.watch {
            return watch(&nodes, &definition, &namespace, &arguments).await;
        }
        let (answers, failures) = remote::each(&nodes, |node| {
            fetch(node, &namespace, &definition.kind, arguments.id.as_deref())
        })
        .await;
        let mut table = Table::with(heading(&definition, false));
        let mut printed = false;
        for (node, resources) in answers {
            for resource in resources {
                let text = match &arguments.output {
                    Output::Table => {
                        table.row(row(node.name(), None, &resource, &definition)?);
                        continue;
                    }
                    other => document(node.name(), None, &resource, other, printed)?,
                };
                printed = true;
                files::print(&text)?;
            }
        }
        if matches!(arguments.output, Output::Table) {
            files::print(&table.to_string())?;
        }
        failures.into_result()
    })
}

async fn fetch(
    node: &Node,
    namespace: &str,
    kind: &str,
    id: Option<&str>,
) -> Result<Vec<Resource>, CallError> {
    let Some(id) = id else { return list(node, namespace, kind).await };
    let request = GetRequest {
        namespace: namespace.to_owned(),
        r#type: kind.to_owned(),
        id: id.to_owned(),
        options: None,
    };
    let answer = node.state().get(request).await.named(node, "State/Get")?;
    Ok(answer.resource.into_iter().collect())
}

fn heading(definition: &Definition, watching: bool) -> Vec<String> {
    let mut cells = vec!["NODE"];
    if watching {
        cells.push("*");
    }
    cells.extend(["NAMESPACE", "TYPE", "ID", "VERSION"]);
    let own = definition.columns.iter().map(|(name, _)| name.clone());
    cells.into_iter().map(str::to_owned).chain(own).collect()
}

fn row(
    node: &str,
    event: Option<&str>,
    resource: &Resource,
    definition: &Definition,
) -> anyhow::Result<Vec<String>> {
    let metadata = resource.metadata.clone().unwrap_or_default();
    let mut cells = vec![node.to_owned()];
    cells.extend(event.map(str::to_owned));
    cells.extend([metadata.namespace, definition.display.clone(), metadata.id, metadata.version]);
    let spec = spec(resource)?;
    for (_, template) in &definition.columns {
        cells.push(value::render(template, &spec));
    }
    Ok(cells)
}

fn map(entries: &std::collections::BTreeMap<String, String>) -> Value {
    entries.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

/// The resource with its node, as the forms other than the table show it.
fn whole(node: &str, event: Option<&str>, resource: &Resource) -> anyhow::Result<Value> {
    let metadata = resource.metadata.clone().unwrap_or_default();
    let text = |text: &str| Value::String(text.to_owned());
    let plain = |text: String| Value::Plain(text);
    let mut fields = vec![
        ("namespace", text(&metadata.namespace)),
        ("type", text(&metadata.r#type)),
        ("id", text(&metadata.id)),
        ("version", plain(metadata.version)),
        ("owner", text(&metadata.owner)),
        ("phase", text(&metadata.phase)),
        ("created", plain(age::rfc3339(metadata.created.as_ref()))),
        ("updated", plain(age::rfc3339(metadata.updated.as_ref()))),
    ];
    if !metadata.labels.is_empty() {
        fields.push(("labels", map(&metadata.labels)));
    }
    if !metadata.annotations.is_empty() {
        fields.push(("annotations", map(&metadata.annotations)));
    }
    if !metadata.finalizers.is_empty() {
        fields.push(("finalizers", Value::from(metadata.finalizers)));
    }
    let mut entries = vec![("node", text(node))];
    if let Some(event) = event {
        entries.push(("event", text(event)));
    }
    entries.push((
        "metadata",
        fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    ));
    entries.push(("spec", spec(resource)?));
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn document(
    node: &str,
    event: Option<&str>,
    resource: &Resource,
    output: &Output,
    separate: bool,
) -> anyhow::Result<String> {
    let value = whole(node, event, resource)?;
    Ok(match output {
        Output::Json => value::pretty(&json(&value))?,
        Output::Path(template) => value::render(template, &value) + "\n",
        Output::Yaml | Output::Table => {
            let separator = if separate { "---\n" } else { "" };
            format!("{separator}{}", yaml::to_string(&value))
        }
    })
}

/// As JSON: the version stays a text, as the contract's clients expect.
fn json(value: &Value) -> Json {
    let Json::Object(mut entries) = value::to_json(value) else { return Json::Null };
    if let Some(Json::Object(metadata)) = entries.get_mut("metadata") {
        stringify(metadata, "version");
    }
    Json::Object(entries)
}

fn stringify(entries: &mut Map<String, Json>, key: &str) {
    if let Some(number @ Json::Number(_)) = entries.get_mut(key) {
        *number = Json::String(number.to_string());
    }
}

async fn watch(
    nodes: &[Node],
    definition: &Definition,
    namespace: &str,
    arguments: &Args,
) -> anyhow::Result<()> {
    if matches!(arguments.output, Output::Table) {
        files::print(&line(&heading(definition, true)))?;
    }
    remote::follow(nodes, |node| follow(node, definition, namespace, arguments)).await
}

async fn follow(
    node: &Node,
    definition: &Definition,
    namespace: &str,
    arguments: &Args,
) -> Result<anyhow::Result<()>, CallError> {
    const CALL: &str = "State/Watch";
    let request = WatchRequest {
        namespace: namespace.to_owned(),
        r#type: definition.kind.clone(),
        id: arguments.id.clone(),
        options: Some(api::cosi::resource::WatchOptions {
            bootstrap_contents: arguments.id.is_none(),
            ..Default::default()
        }),
        api_version: 1,
    };
    let failed = |status| CallError::new(node, CALL, status);
    let mut stream = node.state().watch(request).await.named(node, CALL)?;
    let mut printed = false;
    while let Some(answer) = stream.message().await.map_err(failed)? {
        for event in answer.event {
            let (sign, word) = match event.event_type() {
                EventType::Created => ("+", "created"),
                EventType::Updated => (" ", "updated"),
                EventType::Destroyed => ("-", "destroyed"),
                EventType::Errored => {
                    return Err(failed(tonic::Status::aborted(event.error.unwrap_or_default())));
                }
                EventType::Bootstrapped | EventType::Noop => continue,
            };
            let Some(resource) = event.resource else { continue };
            let text = match &arguments.output {
                Output::Table => {
                    row(node.name(), Some(sign), &resource, definition).map(|cells| line(&cells))
                }
                other => document(node.name(), Some(word), &resource, other, printed),
            };
            printed = true;
            if let Err(error) = text.and_then(|text| files::print(&text)) {
                return Ok(Err(error));
            }
        }
    }
    Ok(Ok(()))
}

/// A row of a table whose other rows are not known yet.
fn line(cells: &[String]) -> String {
    let padded: Vec<String> = cells.iter().map(|cell| format!("{cell:<12}")).collect();
    format!("{}\n", padded.join("   ").trim_end())
}
