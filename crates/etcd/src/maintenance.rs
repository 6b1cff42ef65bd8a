//! Status, alarms, defragmentation, leadership and snapshots of members.

use api::etcd::etcdserverpb::maintenance_client::MaintenanceClient;
use api::etcd::etcdserverpb::{
    AlarmRequest, AlarmType, DefragmentRequest, MoveLeaderRequest, SnapshotRequest,
    SnapshotResponse, StatusRequest, alarm_request::AlarmAction,
};
use bytes::Bytes;

use crate::client::{Client, EtcdError};

/// What a member says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its id.
    pub member: u64,
    /// Its version.
    pub version: String,
    /// The storage format's version.
    pub storage_version: String,
    /// Size of its database file.
    pub db_size: i64,
    /// Size of what is in use of it.
    pub db_size_in_use: i64,
    /// The member it takes for the leader; zero for none.
    pub leader: u64,
    /// Index and term of agreement.
    pub raft_index: u64,
    /// Term.
    pub raft_term: u64,
    /// Index applied to the store.
    pub raft_applied_index: u64,
    /// Whether it has no vote yet.
    pub learner: bool,
    /// What is wrong with it.
    pub errors: Vec<String>,
}

/// Something etcd raises until a person has looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The member.
    pub member: u64,
    /// The alarm, in etcd's words (`NOSPACE`, `CORRUPT`).
    pub name: &'static str,
}

/// A snapshot on its way.
#[derive(Debug)]
pub struct Snapshot {
    stream: tonic::Streaming<SnapshotResponse>,
    endpoint: String,
}

impl Snapshot {
    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        let piece = self.stream.message().await.map_err(|source| SnapshotError {
            endpoint: self.endpoint.clone(),
            source: Box::new(source),
        })?;
        Ok(piece.map(|piece| piece.blob))
    }
}

/// A snapshot that broke off.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot from {endpoint} broke off")]
pub struct SnapshotError {
    endpoint: String,
    #[source]
    source: Box<tonic::Status>,
}

impl Client {
    /// The status of the first endpoint that answers.
    pub async fn status(&self) -> Result<Status, EtcdError> {
        let answer = self
            .call("ask etcd for its status", |channel| async move {
                MaintenanceClient::new(channel).status(StatusRequest {}).await
            })
            .await?;
        let header = answer.header.unwrap_or_default();
        Ok(Status {
            member: header.member_id,
            version: answer.version,
            storage_version: answer.storage_version,
            db_size: answer.db_size,
            db_size_in_use: answer.db_size_in_use,
            leader: answer.leader,
            raft_index: answer.raft_index,
            raft_term: answer.raft_term,
            raft_applied_index: answer.raft_applied_index,
            learner: answer.is_learner,
            errors: answer.errors,
        })
    }

    /// The alarms of all members.
    pub async fn alarms(&self) -> Result<Vec<Alarm>, EtcdError> {
        self.alarm(AlarmAction::Get, "list etcd alarms").await
    }

    /// Clears the alarms of all members.
    pub async fn disarm(&self) -> Result<Vec<Alarm>, EtcdError> {
        self.alarm(AlarmAction::Deactivate, "disarm etcd alarms").await
    }

    async fn alarm(&self, action: AlarmAction, text: &str) -> Result<Vec<Alarm>, EtcdError> {
        let request =
            AlarmRequest { action: action as i32, member_id: 0, alarm: AlarmType::None as i32 };
        let answer =
            self.call(text, |channel| async move {
                MaintenanceClient::new(channel).alarm(request).await
            })
            .await?;
        let alarm = |alarm: api::etcd::etcdserverpb::AlarmMember| Alarm {
            member: alarm.member_id,
            name: AlarmType::try_from(alarm.alarm).unwrap_or(AlarmType::None).as_str_name(),
        };
        Ok(answer.alarms.into_iter().map(alarm).collect())
    }

    /// Gives unused space of the database file back.
    pub async fn defragment(&self) -> Result<(), EtcdError> {
        self.call("defragment etcd", |channel| async move {
            MaintenanceClient::new(channel).defragment(DefragmentRequest {}).await
        })
        .await
        .map(drop)
    }

    /// Hands leadership to another member. Only the leader does it.
    pub async fn move_leader(&self, to: u64) -> Result<(), EtcdError> {
        self.call(&format!("hand etcd's leadership to {to:016x}"), |channel| async move {
            MaintenanceClient::new(channel).move_leader(MoveLeaderRequest { target_id: to }).await
        })
        .await
        .map(drop)
    }

    /// Begins a snapshot of the whole database.
    pub async fn snapshot(&self) -> Result<Snapshot, EtcdError> {
        let stream = self
            .call("take an etcd snapshot", |channel| async move {
                MaintenanceClient::new(channel)
                    .max_decoding_message_size(8 << 20)
                    .snapshot(SnapshotRequest {})
                    .await
            })
            .await?;
        Ok(Snapshot { stream, endpoint: format!("{self:?}") })
    }
}
