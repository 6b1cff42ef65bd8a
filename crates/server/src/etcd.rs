//! etcd, asked with the node's own credentials.
//!
//! Must never: be reachable on a node that is not of the control plane.

use std::collections::BTreeSet;

use api::{
    common::Data,
    machine::{
        EtcdMember, EtcdMemberAlarm, EtcdMemberListRequest, EtcdMemberStatus, EtcdMembers,
        EtcdStatus, etcd_member_alarm::AlarmType,
    },
};
use etcd::{Alarm, Client, Credentials, Endpoint, EtcdError, Member};
use futures::{StreamExt, stream, stream::BoxStream};
use resource::{
    k8s::EndpointSpec,
    secrets::{EtcdCertsSpec, EtcdRootSpec},
};
use runtime::Store;
use tonic::Status;

use crate::{cause::chain, machine::control_plane_only};

fn failed(error: &EtcdError) -> Status {
    Status::new(error.code(), chain(error))
}

fn client(store: &Store, method: &str, endpoints: &[Endpoint]) -> Result<Client, Status> {
    control_plane_only(store, method)?;
    let certificates = store.get::<EtcdCertsSpec>("secrets", "etcd");
    let root = store.get::<EtcdRootSpec>("secrets", "etcd");
    let (Some(certificates), Some(root)) = (certificates, root) else {
        return Err(Status::failed_precondition("etcd's certificates are not made yet"));
    };
    let text = |bytes: &'_ [u8]| {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| Status::internal("etcd's credentials are not text"))
    };
    let admin = &certificates.spec.etcd_admin;
    let (authority, certificate, key) =
        (text(&root.spec.etcd_ca.crt.0)?, text(&admin.crt.0)?, text(&admin.key.0)?);
    let credentials = Credentials { authority: &authority, certificate: &certificate, key: &key };
    Client::new(endpoints, &credentials).map_err(|error| Status::internal(chain(&error)))
}

fn local(store: &Store, method: &str) -> Result<Client, Status> {
    client(store, method, &[Endpoint::LOCAL])
}

/// The local member first, then those of the other control plane nodes.
fn everywhere(store: &Store) -> Vec<Endpoint> {
    let addresses: BTreeSet<_> = store
        .list::<EndpointSpec>("controlplane")
        .iter()
        .flat_map(|endpoint| endpoint.spec.addresses.clone())
        .filter_map(|address| address.0)
        .collect();
    std::iter::once(Endpoint::LOCAL).chain(addresses.into_iter().map(Endpoint::at)).collect()
}

/// The members, as the local one knows them or as the cluster agrees.
pub(crate) async fn members(
    store: &Store,
    request: &EtcdMemberListRequest,
) -> Result<EtcdMembers, Status> {
    const METHOD: &str = "EtcdMemberList";
    let members = if request.query_local {
        local(store, METHOD)?.members().await
    } else {
        client(store, METHOD, &everywhere(store))?.agreed_members().await
    };
    let members = members.map_err(|error| failed(&error))?;
    Ok(EtcdMembers {
        metadata: None,
        legacy_members: members.iter().map(|member| member.name.clone()).collect(),
        members: members.into_iter().map(wire).collect(),
    })
}

fn wire(member: Member) -> EtcdMember {
    EtcdMember {
        id: member.id,
        hostname: member.name,
        peer_urls: member.peer_urls,
        client_urls: member.client_urls,
        is_learner: member.learner,
    }
}

/// What the local member says of itself.
pub(crate) async fn status(store: &Store) -> Result<EtcdStatus, Status> {
    let status = local(store, "EtcdStatus")?.status().await.map_err(|error| failed(&error))?;
    Ok(EtcdStatus {
        metadata: None,
        member_status: Some(EtcdMemberStatus {
            storage_version: status.storage_version,
            member_id: status.member,
            protocol_version: status.version,
            db_size: status.db_size,
            db_size_in_use: status.db_size_in_use,
            leader: status.leader,
            raft_index: status.raft_index,
            raft_term: status.raft_term,
            raft_applied_index: status.raft_applied_index,
            errors: status.errors,
            is_learner: status.learner,
        }),
    })
}

fn alarm(alarm: Alarm) -> EtcdMemberAlarm {
    let kind = AlarmType::from_str_name(alarm.name).unwrap_or(AlarmType::None);
    EtcdMemberAlarm { member_id: alarm.member, alarm: kind.into() }
}

pub(crate) async fn alarms(store: &Store) -> Result<Vec<EtcdMemberAlarm>, Status> {
    let alarms = local(store, "EtcdAlarmList")?.alarms().await.map_err(|error| failed(&error))?;
    Ok(alarms.into_iter().map(alarm).collect())
}

pub(crate) async fn disarm(store: &Store) -> Result<Vec<EtcdMemberAlarm>, Status> {
    let alarms = local(store, "EtcdAlarmDisarm")?.disarm().await.map_err(|error| failed(&error))?;
    Ok(alarms.into_iter().map(alarm).collect())
}

pub(crate) async fn defragment(store: &Store) -> Result<(), Status> {
    local(store, "EtcdDefragment")?.defragment().await.map_err(|error| failed(&error))
}

/// etcd's own snapshot, passed on as it comes.
pub(crate) async fn snapshot(
    store: &Store,
) -> Result<BoxStream<'static, Result<Data, Status>>, Status> {
    let client = local(store, "EtcdSnapshot")?;
    let snapshot = client.snapshot().await.map_err(|error| failed(&error))?;
    let pieces = stream::unfold(Some(snapshot), |snapshot| async {
        let mut snapshot = snapshot?;
        match snapshot.next().await {
            Ok(Some(bytes)) => Some((Ok(Data { metadata: None, bytes }), Some(snapshot))),
            Ok(None) => None,
            Err(error) => Some((Err(Status::unavailable(chain(&error))), None)),
        }
    });
    Ok(pieces.boxed())
}
