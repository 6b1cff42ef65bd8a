//! Single keys: health by a quorum read, and locks that end with their holder.

use std::time::Duration;

use api::etcd::etcdserverpb::kv_client::KvClient;
use api::etcd::etcdserverpb::lease_client::LeaseClient;
use api::etcd::etcdserverpb::{
    Compare, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, RangeRequest, RequestOp,
    TxnRequest,
    compare::{CompareResult, CompareTarget, TargetUnion},
    request_op::Request,
};

use crate::client::{Client, EtcdError};

/// A lease: what hangs on it goes when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(i64);

impl Client {
    /// Succeeds when a quorum of members answers.
    pub async fn healthy(&self) -> Result<(), EtcdError> {
        self.value("health").await.map(drop)
    }

    /// The value of a key.
    pub async fn value(&self, key: &str) -> Result<Option<Vec<u8>>, EtcdError> {
        let answer = self
            .call(&format!("read key {key} from etcd"), |channel| async move {
                let request =
                    RangeRequest { key: key.as_bytes().to_vec(), ..RangeRequest::default() };
                KvClient::new(channel).range(request).await
            })
            .await?;
        Ok(answer.kvs.into_iter().next().map(|pair| pair.value))
    }

    /// Takes a lease for `life`.
    pub async fn lease(&self, life: Duration) -> Result<Lease, EtcdError> {
        let ttl = i64::try_from(life.as_secs().max(1)).unwrap_or(i64::MAX);
        let answer = self
            .call("take a lease from etcd", |channel| async move {
                LeaseClient::new(channel).lease_grant(LeaseGrantRequest { ttl, id: 0 }).await
            })
            .await?;
        Ok(Lease(answer.id))
    }

    /// Ends a lease.
    pub async fn end(&self, lease: Lease) -> Result<(), EtcdError> {
        self.call("end a lease of etcd", |channel| async move {
            LeaseClient::new(channel).lease_revoke(LeaseRevokeRequest { id: lease.0 }).await
        })
        .await
        .map(drop)
    }

    /// Writes a key that hangs on a lease, unless it exists. Says whether it was written.
    pub async fn claim(&self, key: &str, value: &[u8], lease: Lease) -> Result<bool, EtcdError> {
        let absent = Compare {
            result: CompareResult::Equal as i32,
            target: CompareTarget::Create as i32,
            key: key.as_bytes().to_vec(),
            target_union: Some(TargetUnion::CreateRevision(0)),
            ..Compare::default()
        };
        let put = PutRequest {
            key: key.as_bytes().to_vec(),
            value: value.to_vec(),
            lease: lease.0,
            ..PutRequest::default()
        };
        let request = TxnRequest {
            compare: vec![absent],
            success: vec![RequestOp { request: Some(Request::RequestPut(put)) }],
            failure: vec![],
        };
        let request = &request;
        let answer = self
            .call(&format!("claim key {key} in etcd"), |channel| async move {
                KvClient::new(channel).txn(request.clone()).await
            })
            .await?;
        Ok(answer.succeeded)
    }
}
