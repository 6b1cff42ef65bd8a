//! The services of the node, and asking it to start and stop them.
//!
//! Must never: start or stop one; that is the node's.

use std::time::SystemTime;

use api::machine::{ServiceEvent, ServiceEvents, ServiceHealth, ServiceInfo, ServiceList};
use runtime::{command::ServiceAction, service};
use tonic::Status;

use super::{Node, config::refused};

pub(super) fn list(node: &Node) -> ServiceList {
    let services = node.services.list();
    ServiceList { metadata: None, services: services.iter().map(|one| info(one)).collect() }
}

fn info(service: &service::Service) -> ServiceInfo {
    let events = service.events.iter().map(|event| ServiceEvent {
        msg: event.message.clone(),
        state: event.state.as_str().to_owned(),
        ts: Some(timestamp(event.time)),
    });
    ServiceInfo {
        id: service.id.clone(),
        state: service.state.as_str().to_owned(),
        events: Some(ServiceEvents { events: events.collect() }),
        health: Some(health(&service.health)),
    }
}

pub(super) fn health(health: &service::Health) -> ServiceHealth {
    ServiceHealth {
        unknown: health.unknown,
        healthy: health.healthy,
        last_message: health.last_message.clone(),
        last_change: Some(timestamp(health.last_change)),
    }
}

pub(crate) fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    prost_types::Timestamp::from(time)
}

pub(super) async fn start(node: &Node, id: &str) -> Result<String, Status> {
    node.commands.service(id, ServiceAction::Start).await.map_err(refused)
}

pub(super) async fn stop(node: &Node, id: &str) -> Result<String, Status> {
    node.commands.service(id, ServiceAction::Stop).await.map_err(refused)
}

pub(super) async fn restart(node: &Node, id: &str) -> Result<String, Status> {
    node.commands.service(id, ServiceAction::Restart).await.map_err(refused)
}
