//! `inspect`: how the controllers of a machine depend on each other.

use api::inspect::{ControllerDependencyEdge, DependencyEdgeType};
use client::Named;

use crate::{
    files,
    remote::{self, GroupArgs, RemoteArgs},
};

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: GroupArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Command {
    /// Print the controllers and resources as a Graphviz graph
    Dependencies {
        /// The resource types as nodes of the graph
        #[arg(long)]
        with_resources: bool,
    },
}

/// Prints the graph.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let node = RemoteArgs::from(arguments.remote).over(before).open_one(None)?;
    let Command::Dependencies { with_resources } = arguments.command;
    remote::block_on(async {
        let answer = node
            .inspect()
            .controller_runtime_dependencies(())
            .await
            .named(&node, "InspectService/ControllerRuntimeDependencies")?;
        let edges: Vec<ControllerDependencyEdge> =
            answer.messages.into_iter().flat_map(|message| message.edges).collect();
        files::print(&if with_resources { with_types(&edges) } else { controllers(&edges) })
    })
}

fn is_output(edge: &ControllerDependencyEdge) -> bool {
    matches!(
        edge.edge_type(),
        DependencyEdgeType::OutputExclusive | DependencyEdgeType::OutputShared
    )
}

fn resource(edge: &ControllerDependencyEdge) -> String {
    let id = &edge.resource_id;
    if id.is_empty() { edge.resource_type.clone() } else { format!("{}:{id}", edge.resource_type) }
}

/// Who writes what somebody else reads: one edge for each such pair.
fn controllers(edges: &[ControllerDependencyEdge]) -> String {
    let mut lines = Vec::new();
    for output in edges.iter().filter(|edge| is_output(edge)) {
        for input in edges.iter().filter(|edge| !is_output(edge)) {
            if input.resource_type == output.resource_type {
                lines.push(format!(
                    "  {:?} -> {:?} [label={:?}];\n",
                    output.controller_name,
                    input.controller_name,
                    resource(input)
                ));
            }
        }
    }
    graph(lines)
}

fn with_types(edges: &[ControllerDependencyEdge]) -> String {
    let mut lines = Vec::new();
    for edge in edges {
        let (controller, resource) = (&edge.controller_name, resource(edge));
        lines.push(format!("  {controller:?} [shape=box];\n"));
        lines.push(match edge.edge_type() {
            DependencyEdgeType::OutputExclusive => {
                format!("  {controller:?} -> {resource:?} [style=bold];\n")
            }
            DependencyEdgeType::OutputShared => format!("  {controller:?} -> {resource:?};\n"),
            DependencyEdgeType::InputStrong => {
                format!("  {resource:?} -> {controller:?} [style=bold];\n")
            }
            DependencyEdgeType::InputWeak => {
                format!("  {resource:?} -> {controller:?} [style=dotted];\n")
            }
            DependencyEdgeType::InputDestroyReady => {
                format!("  {resource:?} -> {controller:?} [style=dashed];\n")
            }
        });
    }
    graph(lines)
}

fn graph(mut lines: Vec<String>) -> String {
    lines.sort();
    lines.dedup();
    format!("digraph {{\n  rankdir=LR;\n{}}}\n", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_lead_to_readers() {
        let edge = |name: &str, kind: DependencyEdgeType| ControllerDependencyEdge {
            controller_name: name.into(),
            edge_type: kind.into(),
            resource_namespace: "network".into(),
            resource_type: "LinkSpecs".into(),
            resource_id: String::new(),
        };
        let edges = [
            edge("writer", DependencyEdgeType::OutputShared),
            edge("reader", DependencyEdgeType::InputWeak),
        ];
        assert_eq!(
            controllers(&edges),
            "digraph {\n  rankdir=LR;\n  \"writer\" -> \"reader\" [label=\"LinkSpecs\"];\n}\n"
        );
        let all = with_types(&edges);
        assert!(all.contains("\"LinkSpecs\" -> \"reader\" [style=dotted];"), "{all}");
    }
}
