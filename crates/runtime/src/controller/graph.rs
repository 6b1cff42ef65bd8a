//! Who reads and writes what: checked when controllers are registered, readable afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;

use resource::Name;
use thiserror::Error;

use super::{Input, InputKind, Output};
use crate::store::{read, write};

/// How a controller and a type are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// It alone writes the type.
    OutputExclusive,
    /// It writes the type among others.
    OutputShared,
    /// It reads and holds.
    InputStrong,
    /// It reads.
    InputWeak,
    /// It waits for the end of a resource.
    InputDestroyReady,
}

/// A connection between a controller and a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The controller.
    pub controller: &'static str,
    /// How.
    pub kind: EdgeKind,
    /// The namespace of an input; empty for outputs.
    pub namespace: Name,
    /// The type.
    pub type_name: &'static str,
    /// The id of an input; empty for all.
    pub id: Name,
}

/// Why a controller is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegisterError {
    /// There is one with this name.
    #[error("controller {name} is registered twice")]
    Name {
        /// The name.
        name: &'static str,
    },
    /// Two controllers would write one type.
    #[error("{type_name} is written by {first}: {second} cannot write it too")]
    Output {
        /// The type.
        type_name: &'static str,
        /// Who writes it already.
        first: &'static str,
        /// Who wants to.
        second: &'static str,
    },
    /// Controllers that hold each other's outputs could never let go.
    #[error("controllers hold each other's outputs: {}", .path.join(" -> "))]
    Circle {
        /// The controllers, the first one again at the end.
        path: Vec<&'static str>,
    },
}

#[derive(Default)]
struct Edges {
    names: BTreeSet<&'static str>,
    edges: Vec<Edge>,
}

/// All controllers and their inputs and outputs.
#[derive(Default)]
pub struct Graph {
    inner: RwLock<Edges>,
}

impl Graph {
    /// All connections, by controller.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = read(&self.inner).edges.clone();
        edges.sort();
        edges
    }

    /// The names of all controllers.
    #[must_use]
    pub fn controllers(&self) -> Vec<&'static str> {
        read(&self.inner).names.iter().copied().collect()
    }

    pub(crate) fn add(
        &self,
        name: &'static str,
        inputs: &[Input],
        outputs: &[Output],
    ) -> Result<(), RegisterError> {
        let mut inner = write(&self.inner);
        if inner.names.contains(name) {
            return Err(RegisterError::Name { name });
        }
        for output in outputs {
            check_output(&inner.edges, name, output)?;
        }
        let mut edges = inner.edges.clone();
        edges.extend(outputs.iter().map(|output| output_edge(name, output)));
        edges.extend(inputs.iter().map(|input| input_edge(name, input)));
        check_circles(&edges)?;
        inner.edges = edges;
        inner.names.insert(name);
        Ok(())
    }
}

fn check_output(edges: &[Edge], name: &'static str, output: &Output) -> Result<(), RegisterError> {
    for edge in edges.iter().filter(|edge| edge.type_name == output.type_name) {
        let taken = match edge.kind {
            EdgeKind::OutputExclusive => true,
            EdgeKind::OutputShared => output.exclusive,
            _ => false,
        };
        if taken {
            return Err(RegisterError::Output {
                type_name: output.type_name,
                first: edge.controller,
                second: name,
            });
        }
    }
    Ok(())
}

fn output_edge(controller: &'static str, output: &Output) -> Edge {
    let kind = if output.exclusive { EdgeKind::OutputExclusive } else { EdgeKind::OutputShared };
    Edge {
        controller,
        kind,
        namespace: Name::from(""),
        type_name: output.type_name,
        id: Name::from(""),
    }
}

fn input_edge(controller: &'static str, input: &Input) -> Edge {
    let kind = match input.kind {
        InputKind::Strong => EdgeKind::InputStrong,
        InputKind::Weak => EdgeKind::InputWeak,
        InputKind::DestroyReady => EdgeKind::InputDestroyReady,
    };
    let id = input.id.clone().unwrap_or_else(|| Name::from(""));
    Edge { controller, kind, namespace: input.namespace.clone(), type_name: input.type_name, id }
}

/// Follows writers to those who hold their outputs; a controller that holds its own output is
/// fine, since it alone decides about both ends.
fn check_circles(edges: &[Edge]) -> Result<(), RegisterError> {
    let mut next: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
    for held in edges.iter().filter(|edge| edge.kind == EdgeKind::InputStrong) {
        let writers = edges.iter().filter(|edge| {
            edge.type_name == held.type_name && edge.kind == EdgeKind::OutputExclusive
        });
        for writer in writers.filter(|writer| writer.controller != held.controller) {
            next.entry(writer.controller).or_default().insert(held.controller);
        }
    }
    let mut done = BTreeSet::new();
    for start in next.keys() {
        let mut path = Vec::new();
        if let Some(path) = circle(start, &next, &mut path, &mut done) {
            return Err(RegisterError::Circle { path });
        }
    }
    Ok(())
}

fn circle(
    at: &'static str,
    next: &BTreeMap<&'static str, BTreeSet<&'static str>>,
    path: &mut Vec<&'static str>,
    done: &mut BTreeSet<&'static str>,
) -> Option<Vec<&'static str>> {
    if let Some(begin) = path.iter().position(|name| *name == at) {
        let mut found: Vec<_> = path.iter().skip(begin).copied().collect();
        found.push(at);
        return Some(found);
    }
    if !done.insert(at) {
        return None;
    }
    path.push(at);
    for name in next.get(at).into_iter().flatten() {
        if let Some(found) = circle(name, next, path, done) {
            return Some(found);
        }
    }
    path.pop();
    None
}
