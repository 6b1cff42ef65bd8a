//! The controller graph over the API.
//!
//! Must never: change the graph.

use api::inspect::{
    ControllerDependencyEdge, ControllerRuntimeDependenciesResponse, ControllerRuntimeDependency,
    DependencyEdgeType, inspect_service_server::InspectService,
};
use runtime::controller::EdgeKind;
use tonic::{Request, Response, Status};

use crate::machine::Edges;

/// The inspect service.
#[derive(Clone)]
pub(crate) struct Inspect {
    edges: Edges,
}

impl Inspect {
    pub(crate) fn new(edges: Edges) -> Self {
        Self { edges }
    }
}

#[tonic::async_trait]
impl InspectService for Inspect {
    async fn controller_runtime_dependencies(
        &self,
        _: Request<()>,
    ) -> Result<Response<ControllerRuntimeDependenciesResponse>, Status> {
        let edges = (self.edges)();
        let edges = edges
            .into_iter()
            .map(|edge| ControllerDependencyEdge {
                controller_name: edge.controller.to_owned(),
                edge_type: kind(edge.kind).into(),
                resource_namespace: edge.namespace.to_string(),
                resource_type: edge.type_name.to_owned(),
                resource_id: edge.id.to_string(),
            })
            .collect();
        Ok(Response::new(ControllerRuntimeDependenciesResponse {
            messages: vec![ControllerRuntimeDependency { metadata: None, edges }],
        }))
    }
}

fn kind(kind: EdgeKind) -> DependencyEdgeType {
    match kind {
        EdgeKind::OutputExclusive => DependencyEdgeType::OutputExclusive,
        EdgeKind::OutputShared => DependencyEdgeType::OutputShared,
        EdgeKind::InputStrong => DependencyEdgeType::InputStrong,
        EdgeKind::InputWeak => DependencyEdgeType::InputWeak,
        EdgeKind::InputDestroyReady => DependencyEdgeType::InputDestroyReady,
    }
}
