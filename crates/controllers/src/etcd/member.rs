//! This node's own membership, published when etcd is up.

use std::time::Duration;

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use etcd::Endpoint;
use futures::future::BoxFuture;
use resource::etcd::MemberSpec;
use resource::v1alpha1::ServiceSpec;

use crate::Node;

struct Member {
    node: Node,
}

impl Controller for Member {
    fn name(&self) -> &'static str {
        "etcd.MemberController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<ServiceSpec>("runtime").with_id("etcd")]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<MemberSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let etcd = context.get::<ServiceSpec>("runtime", "etcd");
            if !etcd.is_some_and(|etcd| etcd.spec.running && etcd.spec.healthy) {
                context.remove::<MemberSpec>("etcd", "local")?;
                return Ok(Next::OnChange);
            }
            let Some(client) = super::client(&self.node.store, &[Endpoint::LOCAL]) else {
                return Ok(Next::OnChange);
            };
            let status = tokio::time::timeout(Duration::from_secs(5), client.status()).await??;
            let id = format!("{:016x}", status.member);
            context.modify::<MemberSpec>("etcd", "local", |spec| spec.member_id.clone_from(&id))?;
            Ok(Next::OnChange)
        })
    }
}

/// Publishes the member id.
pub(super) fn controller(node: &Node) -> impl Controller + use<> {
    Member { node: node.clone() }
}
