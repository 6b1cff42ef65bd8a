//! The API server as the node's own controllers use it: shared connections, readiness, and followed objects.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::runtime::controller::Waker;
use ::runtime::store::Store;
use kubernetes::{Access, AccessError, Client, Event, Kind, Object};
use resource::k8s::KubeletKubeconfigSpec;
use resource::secrets::KubernetesCertsSpec;

/// The pauses between attempts while something foreign does not answer, which has no event for it.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A kubeconfig that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// It is no document.
    #[error("the kubeconfig {name} is not a document")]
    Document {
        /// Whose.
        name: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// It lacks something.
    #[error("the kubeconfig {name} cannot be used")]
    Access {
        /// Whose.
        name: &'static str,
        #[source]
        source: AccessError,
    },
}

/// Connections to the API server, one for each kubeconfig. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<&'static str, (String, Client)>>>);

impl Clients {
    fn client(&self, name: &'static str, kubeconfig: &str) -> Result<Client, ConnectError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, client)) = clients.get(name)
            && text == kubeconfig
        {
            return Ok(client.clone());
        }
        let document = serde_json::from_str(kubeconfig)
            .map_err(|source| ConnectError::Document { name, source })?;
        let access = |source| ConnectError::Access { name, source };
        let client =
            Client::new(&Access::from_kubeconfig(&document).map_err(access)?).map_err(access)?;
        clients.insert(name, (kubeconfig.to_owned(), client.clone()));
        Ok(client)
    }

    /// A client with full rights at the API server of this node; none before its credentials exist.
    pub(crate) fn admin(&self, store: &Store) -> Result<Option<Client>, ConnectError> {
        let certificates = store.get::<KubernetesCertsSpec>("secrets", "k8s-certs");
        let Some(certificates) = certificates else { return Ok(None) };
        let kubeconfig = &certificates.spec.localhost_admin_kubeconfig;
        if kubeconfig.is_empty() {
            return Ok(None);
        }
        self.client("of the node's admin", kubeconfig).map(Some)
    }

    /// A client with the rights of this node's kubelet; none before it has a certificate.
    pub(crate) fn kubelet(
        &self,
        store: &Store,
        path: &Path,
    ) -> Result<Option<Client>, ConnectError> {
        let Some(kubeconfig) = store.get::<KubeletKubeconfigSpec>("k8s", "kubelet") else {
            return Ok(None);
        };
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
        let name = "of the kubelet";
        // The kubelet writes YAML of its own making; this reads just what it needs of it.
        let Some(document) = super::kubelet::kubeconfig_document(&text) else { return Ok(None) };
        // A renewed certificate lies behind the same text: the hash makes it another one.
        let text = format!("{document}{}", kubeconfig.spec.hash);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((present, client)) = clients.get(name)
            && *present == text
        {
            return Ok(Some(client.clone()));
        }
        let access = |source| ConnectError::Access { name, source };
        let client =
            Client::new(&Access::from_kubeconfig(&document).map_err(access)?).map_err(access)?;
        clients.insert(name, (text, client.clone()));
        Ok(Some(client))
    }

    /// The admin on a control plane node, the kubelet on a worker.
    pub(crate) fn any(
        &self,
        store: &Store,
        kubelet: &Path,
    ) -> Result<Option<Client>, ConnectError> {
        match self.admin(store)? {
            Some(client) => Ok(Some(client)),
            None => self.kubelet(store, kubelet),
        }
    }
}

/// Waits until the API server says it is ready, asking again quickly: a foreign process has no event for it.
pub(crate) async fn ready(client: &Client) {
    let mut pause = FIRST_PAUSE;
    while client.ready().await.is_err() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(160));
    }
}

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The kind.
    pub(crate) kind: Kind<'static>,
    /// The namespace; empty for all.
    pub(crate) namespace: &'static str,
    /// Selectors in the form of a query.
    pub(crate) query: String,
}

type Objects = Arc<Mutex<Option<BTreeMap<String, Object>>>>;

/// Objects followed by a task of its own, which ends with this value.
#[derive(Debug)]
pub(crate) struct Follower {
    selection: Selection,
    objects: Objects,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Starts to follow; each change wakes the controller.
    pub(crate) fn start(client: Client, selection: Selection, waker: Waker) -> Self {
        let objects = Objects::default();
        let task = tokio::spawn(follow(client, selection.clone(), Arc::clone(&objects), waker));
        Self { selection, objects, task }
    }

    /// What is followed.
    pub(crate) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The objects as last seen; none before the first answer.
    pub(crate) fn objects(&self) -> Option<Vec<Object>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.as_ref().map(|objects| objects.values().cloned().collect())
    }
}

fn key(object: &Object) -> String {
    let field = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    format!("{}/{}", field("namespace"), field("name"))
}

async fn follow(client: Client, selection: Selection, objects: Objects, waker: Waker) {
    let mut pause = FIRST_PAUSE;
    loop {
        match follow_once(&client, &selection, &objects, &waker, &mut pause).await {
            // The server ends every watch after some minutes: go on at once.
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(kind = selection.kind.kind, %error, "following objects was interrupted");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn follow_once(
    client: &Client,
    selection: &Selection,
    objects: &Objects,
    waker: &Waker,
    pause: &mut Duration,
) -> Result<(), kubernetes::ApiError> {
    let Selection { kind, namespace, query } = selection;
    let change = |change: &mut dyn FnMut(&mut BTreeMap<String, Object>)| {
        change(objects.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
        waker.wake();
    };
    let (items, mut version) = client.list(*kind, namespace, query).await?;
    *pause = FIRST_PAUSE;
    let mut items: BTreeMap<String, Object> =
        items.into_iter().map(|item| (key(&item), item)).collect();
    for item in items.values_mut() {
        // Items of a list do not say what they are.
        item["apiVersion"] = kind.api_version.into();
        item["kind"] = kind.kind.into();
    }
    change(&mut |present| *present = std::mem::take(&mut items));
    loop {
        let mut watch = client.watch(*kind, namespace, query, &version).await?;
        while let Some(event) = watch.next().await? {
            match event {
                Event::Present(object) => {
                    if let Some(next) = object["metadata"]["resourceVersion"].as_str() {
                        next.clone_into(&mut version);
                    }
                    let mut object = Some(object);
                    change(&mut |present| {
                        if let Some(object) = object.take() {
                            present.insert(key(&object), object);
                        }
                    });
                }
                Event::Gone(object) => change(&mut |present| drop(present.remove(&key(&object)))),
                Event::Bookmark(next) => version = next,
            }
        }
    }
}
