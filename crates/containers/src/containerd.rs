//! A handle to one namespace of a containerd.

use std::path::Path;

use api::containerd::services;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::connection::{ContainersError, channel};

/// Images may be large; messages of this API are not, but lists of many containers may exceed the small default.
pub(crate) const MESSAGE_LIMIT: usize = 32 << 20;

/// Adds the namespace to each request, and the lease that keeps new content from being collected.
#[derive(Clone)]
pub(crate) struct InNamespace {
    namespace: AsciiMetadataValue,
    lease: Option<AsciiMetadataValue>,
}

impl Interceptor for InNamespace {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("containerd-namespace", self.namespace.clone());
        if let Some(lease) = &self.lease {
            request.metadata_mut().insert("containerd-lease", lease.clone());
        }
        Ok(request)
    }
}

pub(crate) type Transport = InterceptedService<Channel, InNamespace>;

/// One namespace of a containerd. Clones share the connection.
#[derive(Clone)]
pub struct Containerd {
    channel: Channel,
    scope: InNamespace,
}

impl std::fmt::Debug for Containerd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Containerd")
            .field("namespace", &self.scope.namespace)
            .finish_non_exhaustive()
    }
}

impl Containerd {
    /// A handle to `namespace` of the containerd behind `socket`. Connects at the first call.
    pub fn new(socket: &Path, namespace: &'static str) -> Self {
        Self {
            channel: channel(socket),
            scope: InNamespace {
                namespace: AsciiMetadataValue::from_static(namespace),
                lease: None,
            },
        }
    }

    /// The same containerd, another namespace.
    pub fn namespace(&self, namespace: &'static str) -> Self {
        Self {
            channel: self.channel.clone(),
            scope: InNamespace {
                namespace: AsciiMetadataValue::from_static(namespace),
                lease: None,
            },
        }
    }

    pub(crate) fn leased(&self, lease: &str) -> Result<Self, ContainersError> {
        let lease = lease
            .parse()
            .map_err(|_| ContainersError::answer("take a lease", "a printable lease id"))?;
        Ok(Self {
            channel: self.channel.clone(),
            scope: InNamespace { namespace: self.scope.namespace.clone(), lease: Some(lease) },
        })
    }

    pub(crate) fn transport(&self) -> Transport {
        InterceptedService::new(self.channel.clone(), self.scope.clone())
    }

    /// containerd's version and revision.
    pub async fn version(&self) -> Result<(String, String), ContainersError> {
        let answer = services::version::v1::version_client::VersionClient::new(self.transport())
            .version(())
            .await
            .map_err(ContainersError::call("ask containerd for its version"))?
            .into_inner();
        Ok((answer.version, answer.revision))
    }

    /// The namespaces that exist.
    pub async fn namespaces(&self) -> Result<Vec<String>, ContainersError> {
        use services::namespaces::v1::{
            ListNamespacesRequest, namespaces_client::NamespacesClient,
        };
        let answer = NamespacesClient::new(self.transport())
            .list(ListNamespacesRequest::default())
            .await
            .map_err(ContainersError::call("list namespaces"))?
            .into_inner();
        Ok(answer.namespaces.into_iter().map(|namespace| namespace.name).collect())
    }

    /// Takes a lease that holds what is made under it until it is released or an hour has passed.
    pub(crate) async fn lease(&self) -> Result<Lease, ContainersError> {
        use services::leases::v1::{CreateRequest, leases_client::LeasesClient};
        // A lease that a crash left behind ends by itself.
        let labels = [("containerd.io/gc.expire".to_owned(), expiry())].into();
        let lease = LeasesClient::new(self.transport())
            .create(CreateRequest { id: lease_id(), labels })
            .await
            .map_err(ContainersError::call("take a lease"))?
            .into_inner()
            .lease
            .ok_or_else(|| ContainersError::answer("take a lease", "the lease"))?;
        Ok(Lease { scoped: self.leased(&lease.id)?, id: lease.id })
    }
}

pub(crate) struct Lease {
    id: String,
    pub(crate) scoped: Containerd,
}

impl Lease {
    pub(crate) async fn release(self) -> Result<(), ContainersError> {
        use services::leases::v1::{DeleteRequest, leases_client::LeasesClient};
        LeasesClient::new(self.scoped.transport())
            .delete(DeleteRequest { id: self.id, sync: false })
            .await
            .map_err(ContainersError::call("release a lease"))?;
        Ok(())
    }
}

fn lease_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("ichor-{:x}-{:x}-{count}", std::process::id(), jiff::Timestamp::now().as_nanosecond())
}

fn expiry() -> String {
    let hour = jiff::SignedDuration::from_hours(1);
    jiff::Timestamp::now().saturating_add(hour).unwrap_or(jiff::Timestamp::MAX).to_string()
}
