//! The members of the cluster.

use api::etcd::etcdserverpb::cluster_client::ClusterClient;
use api::etcd::etcdserverpb::{
    self, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest,
    MemberUpdateRequest,
};

use crate::client::{Client, EtcdError};

/// A member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Its name; empty until it has started for the first time.
    pub name: String,
    /// Where other members reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it.
    pub client_urls: Vec<String>,
    /// Whether it still learns and has no vote.
    pub learner: bool,
}

impl Member {
    /// The id as the command line and resources show it.
    pub fn hex_id(&self) -> String {
        format!("{:016x}", self.id)
    }
}

impl From<etcdserverpb::Member> for Member {
    fn from(member: etcdserverpb::Member) -> Self {
        Self {
            id: member.id,
            name: member.name,
            peer_urls: member.peer_ur_ls,
            client_urls: member.client_ur_ls,
            learner: member.is_learner,
        }
    }
}

fn members(list: Vec<etcdserverpb::Member>) -> Vec<Member> {
    list.into_iter().map(Member::from).collect()
}

impl Client {
    /// The members as the asked member knows them, which may be behind the cluster.
    pub async fn members(&self) -> Result<Vec<Member>, EtcdError> {
        self.list_members(false).await
    }

    /// The members as the cluster has agreed on them; fails without a quorum.
    pub async fn agreed_members(&self) -> Result<Vec<Member>, EtcdError> {
        self.list_members(true).await
    }

    async fn list_members(&self, linearizable: bool) -> Result<Vec<Member>, EtcdError> {
        let answer = self
            .call("list etcd members", |channel| async move {
                ClusterClient::new(channel).member_list(MemberListRequest { linearizable }).await
            })
            .await?;
        Ok(members(answer.members))
    }

    /// Announces a new member that first learns. Answers it and all members.
    pub async fn add_learner(
        &self,
        peer_urls: &[String],
    ) -> Result<(Member, Vec<Member>), EtcdError> {
        const ACTION: &str = "add a learner to etcd";
        let answer = self
            .call(ACTION, |channel| async move {
                let request = MemberAddRequest { peer_ur_ls: peer_urls.to_vec(), is_learner: true };
                ClusterClient::new(channel).member_add(request).await
            })
            .await?;
        let member = answer.member.ok_or_else(|| EtcdError::Answer {
            action: ACTION.to_owned(),
            missing: "the new member",
        })?;
        Ok((member.into(), members(answer.members)))
    }

    /// Gives a learner that has caught up its vote.
    pub async fn promote(&self, id: u64) -> Result<(), EtcdError> {
        self.call(&format!("promote etcd member {id:016x}"), |channel| async move {
            ClusterClient::new(channel).member_promote(MemberPromoteRequest { id }).await
        })
        .await
        .map(drop)
    }

    /// Removes a member.
    pub async fn remove_member(&self, id: u64) -> Result<(), EtcdError> {
        self.call(&format!("remove etcd member {id:016x}"), |channel| async move {
            ClusterClient::new(channel).member_remove(MemberRemoveRequest { id }).await
        })
        .await
        .map(drop)
    }

    /// Changes where other members reach a member.
    pub async fn update_member(&self, id: u64, peer_urls: &[String]) -> Result<(), EtcdError> {
        self.call(&format!("update etcd member {id:016x}"), |channel| async move {
            let request = MemberUpdateRequest { id, peer_ur_ls: peer_urls.to_vec() };
            ClusterClient::new(channel).member_update(request).await
        })
        .await
        .map(drop)
    }
}
