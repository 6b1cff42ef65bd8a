//! Serving certificates of kubelets: a request is approved when all that it asks for is what the node is.

use std::collections::BTreeSet;

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use http::Method;
use kubernetes::{Kind, Object};
use pki::Request;
use resource::secrets::KubernetesCertsSpec;
use serde_json::{Value, json};

use super::api::{Clients, Follower, Selection};
use crate::Node;

const REQUESTS: Kind<'static> =
    Kind { api_version: "certificates.k8s.io/v1", kind: "CertificateSigningRequest" };

/// What to do about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It asks for what the node is.
    Approve,
    /// It does not; a person may still approve it.
    Leave(String),
}

/// Whether somebody has decided about the request.
fn is_decided(request: &Object) -> bool {
    let conditions = request["status"]["conditions"].as_array().into_iter().flatten();
    let mut kinds = conditions.filter_map(|condition| condition["type"].as_str());
    kinds.any(|kind| matches!(kind, "Approved" | "Denied"))
}

/// The names and addresses by which a node is known.
fn known(node: &Object) -> BTreeSet<String> {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    let mut all: BTreeSet<String> =
        addresses.filter_map(|address| address["address"].as_str().map(str::to_owned)).collect();
    all.extend(node["metadata"]["name"].as_str().map(str::to_owned));
    all
}

fn judge(request: &Object, csr: &Request, node: &Object) -> Verdict {
    let leave = |reason: String| Verdict::Leave(reason);
    let spec = &request["spec"];
    let username = spec["username"].as_str().unwrap_or_default();
    let Some(name) = username.strip_prefix("system:node:") else {
        return leave(format!("{username:?} is no node"));
    };
    let groups: Vec<&str> =
        spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !groups.contains(&"system:nodes") {
        return leave("the requester is not in the group system:nodes".to_owned());
    }
    let allowed = ["digital signature", "key encipherment", "server auth"];
    let usages: Vec<&str> =
        spec["usages"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !usages.contains(&"server auth") || usages.iter().any(|usage| !allowed.contains(usage)) {
        return leave(format!("its usages {usages:?} are not those of a server"));
    }
    if csr.common_name != username || csr.organizations != ["system:nodes"] {
        return leave("its subject is not the requester".to_owned());
    }
    let known = known(node);
    if node["metadata"]["name"].as_str() != Some(name) {
        return leave(format!("there is no node {name}"));
    }
    if csr.other_names > 0 {
        return leave("it names something else than hosts and addresses".to_owned());
    }
    if csr.dns_names.is_empty() && csr.ips.is_empty() {
        return leave("it names neither a host nor an address".to_owned());
    }
    let names = csr.dns_names.iter().cloned().chain(csr.ips.iter().map(ToString::to_string));
    match names.into_iter().find(|name| !known.contains(name)) {
        Some(stranger) => leave(format!("{stranger} is no name or address of node {name}")),
        None => Verdict::Approve,
    }
}

fn approval(request: &Object, now: &str) -> Object {
    let mut approved = request.clone();
    let condition = json!({
        "type": "Approved",
        "status": "True",
        "reason": "NodeAddressesMatch",
        "message": "The request names only addresses of the node that made it.",
        "lastUpdateTime": now,
    });
    match approved["status"]["conditions"].as_array_mut() {
        Some(conditions) => conditions.push(condition),
        None => approved["status"]["conditions"] = json!([condition]),
    }
    approved
}

struct Approver {
    node: Node,
    clients: Clients,
    follower: Option<Follower>,
    /// Requests left to people, said once.
    left: BTreeSet<String>,
}

impl Approver {
    async fn look(
        &mut self,
        client: &kubernetes::Client,
        request: &Object,
        now: &str,
    ) -> Result<(), ControllerError> {
        let name = request["metadata"]["name"].as_str().unwrap_or_default();
        if is_decided(request) || self.left.contains(name) {
            return Ok(());
        }
        let pem = request["spec"]["request"].as_str().and_then(|text| STANDARD.decode(text).ok());
        let csr = pem.and_then(|pem| Request::from_pem(&String::from_utf8_lossy(&pem)).ok());
        let username = request["spec"]["username"].as_str().unwrap_or_default();
        let node = match username.strip_prefix("system:node:") {
            Some(node) => client.object(Kind::core("Node"), "", node).await?.unwrap_or_default(),
            None => Value::Null,
        };
        let verdict = match csr {
            Some(csr) => judge(request, &csr, &node),
            None => Verdict::Leave("it holds no request that reads".to_owned()),
        };
        match verdict {
            Verdict::Approve => {
                let approval = approval(request, now);
                let written = client
                    .write_subresource(REQUESTS, "", name, "approval", Method::PUT, &approval)
                    .await;
                match written {
                    // Another control plane node was faster.
                    Err(error) if error.is_conflict() || error.is_not_found() => {}
                    written => drop(written?),
                }
                tracing::info!(
                    request = name,
                    username,
                    "approved a kubelet's serving certificate"
                );
            }
            Verdict::Leave(reason) => {
                tracing::warn!(
                    request = name,
                    username,
                    reason,
                    "a serving certificate request is left to people"
                );
                self.left.insert(name.to_owned());
            }
        }
        Ok(())
    }
}

impl Controller for Approver {
    fn name(&self) -> &'static str {
        "k8s.ServingCertificateApproverController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<KubernetesCertsSpec>("secrets")]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let Some(client) = self.clients.admin(&self.node.store)? else {
                return Ok(Next::OnChange);
            };
            if self.follower.is_none() {
                let selection = Selection {
                    kind: REQUESTS,
                    namespace: "",
                    query: "fieldSelector=spec.signerName%3Dkubernetes.io/kubelet-serving"
                        .to_owned(),
                };
                self.follower = Some(Follower::start(client.clone(), selection, context.waker()));
            }
            let Some(requests) = self.follower.as_ref().and_then(Follower::objects) else {
                return Ok(Next::OnChange);
            };
            let now = context.store().now();
            let now = jiff::Timestamp::from_second(now.seconds).unwrap_or_default().to_string();
            for request in &requests {
                self.look(&client, request, &now).await?;
            }
            Ok(Next::OnChange)
        })
    }
}

/// Approves what is right.
pub(super) fn controller(node: &Node, clients: Clients) -> impl Controller + use<> {
    Approver { node: node.clone(), clients, follower: None, left: BTreeSet::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Object {
        json!({ "spec": {
            "username": "system:node:w1",
            "groups": ["system:nodes", "system:authenticated"],
            "usages": ["digital signature", "server auth"],
        }})
    }

    fn node() -> Object {
        json!({
            "metadata": { "name": "w1" },
            "status": { "addresses": [
                { "type": "InternalIP", "address": "10.5.0.3" }, { "type": "Hostname", "address": "w1" },
            ] },
        })
    }

    fn csr(subject: &str, organization: &str, dns: &[&str], ips: &[&str]) -> Request {
        let key = pki::PrivateKey::generate(pki::Algorithm::EcdsaP256).unwrap();
        let dns: Vec<String> = dns.iter().map(|name| (*name).to_owned()).collect();
        let ips: Vec<std::net::IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        Request::create(&key, subject, &[organization.to_owned()], &dns, &ips).unwrap()
    }

    #[test]
    fn only_what_the_node_is_gets_approved() {
        let good = || csr("system:node:w1", "system:nodes", &["w1"], &["10.5.0.3"]);
        assert_eq!(judge(&request(), &good(), &node()), Verdict::Approve);
        let left = |request: &Object, csr: &Request, node: &Object| {
            matches!(judge(request, csr, node), Verdict::Leave(_))
        };
        assert!(
            left(&request(), &csr("system:node:w2", "system:nodes", &["w1"], &[]), &node()),
            "other subject"
        );
        assert!(
            left(&request(), &csr("system:node:w1", "system:masters", &["w1"], &[]), &node()),
            "other group"
        );
        assert!(
            left(&request(), &csr("system:node:w1", "system:nodes", &["w1", "api"], &[]), &node()),
            "other name"
        );
        assert!(
            left(&request(), &csr("system:node:w1", "system:nodes", &[], &["10.5.0.9"]), &node()),
            "other address"
        );
        assert!(
            left(&request(), &csr("system:node:w1", "system:nodes", &[], &[]), &node()),
            "no name at all"
        );
        assert!(left(&request(), &good(), &Value::Null), "no such node");
        for (field, value) in [
            ("username", json!("jane")),
            ("groups", json!(["system:authenticated"])),
            ("usages", json!(["client auth", "server auth"])),
            ("usages", json!(["digital signature"])),
        ] {
            let mut request = request();
            request["spec"][field] = value.clone();
            assert!(left(&request, &good(), &node()), "{field} {value}");
        }
    }

    #[test]
    fn decided_requests_are_done_with() {
        let approved = approval(&request(), "2026-01-01T00:00:00Z");
        assert!(is_decided(&approved));
        assert!(!is_decided(&request()));
    }
}
