//! Tasks of a controller, one for each thing it looks after: told what changes, and telling what they find.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::runtime::controller::{ControllerError, Waker};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What all tasks of a controller have found so far, by their ids.
type Found<O> = Arc<Mutex<BTreeMap<String, Result<O, String>>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Running<K, I> {
    key: K,
    input: watch::Sender<I>,
    task: JoinHandle<()>,
}

/// The tasks. `K` is what a task is started for, `I` what it is told while it runs, `O` what it finds.
pub(super) struct Tasks<K, I, O> {
    running: BTreeMap<String, Running<K, I>>,
    found: Found<O>,
}

impl<K, I, O> Default for Tasks<K, I, O> {
    fn default() -> Self {
        Self { running: BTreeMap::new(), found: Found::default() }
    }
}

/// How a task tells what it found.
pub(super) struct Report<O> {
    id: String,
    found: Found<O>,
    waker: Waker,
}

impl<O: PartialEq> Report<O> {
    /// From now on this holds.
    pub(super) fn tell(&self, what: O) {
        let news = Ok(what);
        let mut found = lock(&self.found);
        if found.get(&self.id) != Some(&news) {
            found.insert(self.id.clone(), news);
            drop(found);
            self.waker.wake();
        }
    }
}

impl<K, I, O> Tasks<K, I, O>
where
    K: Clone + PartialEq,
    I: Clone + PartialEq + Send + Sync + 'static,
    O: Clone + PartialEq + Send + 'static,
{
    /// Ends what is not wanted any more or wanted differently, starts what is missing, and tells the others.
    ///
    /// # Errors
    /// Why a task ended by itself, once; it is started again by the next call.
    pub(super) fn settle<F>(
        &mut self,
        waker: &Waker,
        wanted: &BTreeMap<String, (K, I)>,
        start: impl Fn(K, watch::Receiver<I>, Report<O>) -> F,
    ) -> Result<(), ControllerError>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        self.running.retain(|id, running| {
            let kept = wanted.get(id).is_some_and(|(key, _)| *key == running.key);
            let kept = kept && !running.task.is_finished();
            if !kept {
                running.task.abort();
            }
            kept
        });
        let mut failures = Vec::new();
        lock(&self.found).retain(|id, found| {
            if let Err(error) = found {
                failures.push(format!("{id}: {error}"));
            }
            self.running.contains_key(id) && found.is_ok()
        });
        if !failures.is_empty() {
            return Err(ControllerError::message(failures.join("; ")));
        }
        for (id, (key, input)) in wanted {
            if let Some(running) = self.running.get(id) {
                running.input.send_if_modified(|present| {
                    let changed = present != input;
                    present.clone_from(input);
                    changed
                });
                continue;
            }
            let (told, input) = watch::channel(input.clone());
            let (found, waker) = (self.found.clone(), waker.clone());
            let report = Report { id: id.clone(), found: found.clone(), waker: waker.clone() };
            let (work, own) = (start(key.clone(), input, report), id.clone());
            let task = tokio::spawn(async move {
                if let Err(error) = work.await {
                    lock(&found).insert(own, Err(error.to_string()));
                }
                waker.wake();
            });
            self.running.insert(id.clone(), Running { key: key.clone(), input: told, task });
        }
        Ok(())
    }

    /// What the tasks have found so far.
    pub(super) fn found(&self) -> BTreeMap<String, O> {
        let found = lock(&self.found);
        let good = found.iter().filter_map(|(id, found)| Some((id.clone(), found.clone().ok()?)));
        good.collect()
    }
}

impl<K, I, O> Drop for Tasks<K, I, O> {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.task.abort();
        }
    }
}
