//! The images of the node itself: each is pulled once at a time, early, and never while somebody else pulls it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::runtime::service::Registry;
use ::runtime::timeline::Timeline;
use containers::{Containerd, Pull};
use tokio::sync::Mutex;

use crate::container::HOSTS_DIR;
use crate::runtime::service::{RunError, error_chain};

type Locks = std::sync::Mutex<HashMap<String, Arc<Mutex<()>>>>;

/// The images of one namespace of the container runtime. Clones share everything.
#[derive(Clone)]
pub struct Images {
    containerd: Containerd,
    services: Registry,
    timeline: Timeline,
    locks: Arc<Locks>,
}

/// How often a pull that failed is tried again before the service that needs it fails.
const ATTEMPTS: u32 = 5;

impl Images {
    /// The images of this containerd, which is the service `cri`.
    pub fn new(containerd: Containerd, services: Registry, timeline: Timeline) -> Self {
        Self { containerd, services, timeline, locks: Arc::default() }
    }

    /// Makes sure that an image is there and unpacked.
    pub async fn ensure(&self, reference: &str) -> Result<(), RunError> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(reference.to_owned()).or_default())
        };
        let _alone = lock.lock().await;
        let _step = self.timeline.work(reference, "image present and unpacked");
        let pull = Pull { reference, host_dir: HOSTS_DIR };
        let mut pause = Duration::from_millis(100);
        for attempt in 1.. {
            match self.containerd.ensure(&pull).await {
                Ok(_) => break,
                Err(error) if attempt < ATTEMPTS && !error.is_not_found() => {
                    let error = error_chain(&error);
                    tracing::warn!(reference, error, "pulling an image is tried again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => {
                    return Err(RunError::new(
                        format!("image {reference} is not available"),
                        error,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Begins to fetch images in the background as soon as the container runtime is up, so that whoever needs them
    /// finds them: step by step, those of one step at once.
    pub fn prefetch(&self, steps: Vec<Vec<String>>) {
        self.prefetch_after(async {}, steps);
    }

    /// Like [`Images::prefetch`], and not before `first` is done.
    pub fn prefetch_after(
        &self,
        first: impl Future<Output = ()> + Send + 'static,
        steps: Vec<Vec<String>>,
    ) {
        let images = self.clone();
        tokio::spawn(async move {
            images.services.wait_up("cri").await;
            first.await;
            for step in steps {
                let fetch = step.iter().map(|reference| images.ensure(reference));
                for result in futures::future::join_all(fetch).await {
                    if let Err(error) = result {
                        tracing::warn!(
                            error = error.chain(),
                            "an image could not be fetched ahead"
                        );
                    }
                }
            }
        });
    }
}
