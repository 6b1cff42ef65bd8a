//! Applying a machine configuration: checked as a whole, then written and put into effect as its mode says.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::runtime::command::{Applied, ApplyConfiguration, ApplyMode, CommandError, Refusal};
use resource::config::MachineConfigSpec;
use similar::TextDiff;
use tokio::task::JoinHandle;

use crate::Node;
use crate::config::active::{self, ACTIVE, NAMESPACE, PERSISTENT};
use crate::config::{FILE, check};
use crate::files::atomic;
use crate::runtime::service::error_chain;

/// When a tried configuration is taken back, unless the request says otherwise.
const TRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Applies configurations, one at a time.
pub(super) struct Applier {
    node: Node,
    /// Held while one is applied; holds what takes a tried one back.
    trial: Mutex<Option<JoinHandle<()>>>,
}

/// The mode that a request comes down to.
fn effective(mode: ApplyMode, in_maintenance: bool) -> Result<ApplyMode, CommandError> {
    match mode {
        ApplyMode::Reboot if in_maintenance => Ok(ApplyMode::NoReboot),
        ApplyMode::Reboot => Err(CommandError::new(
            Refusal::Unimplemented,
            "a configuration is not applied with a reboot any more; use no-reboot, or staged and a reboot of your own",
        )),
        ApplyMode::Auto => Ok(ApplyMode::NoReboot),
        mode => Ok(mode),
    }
}

fn details(mode: ApplyMode, timeout: Duration) -> String {
    match mode {
        ApplyMode::Staged => "Staged configuration to be applied after the next reboot".to_owned(),
        ApplyMode::Try => format!(
            "Applied configuration without a reboot; it is taken back after {} s",
            timeout.as_secs()
        ),
        ApplyMode::Reboot | ApplyMode::Auto | ApplyMode::NoReboot => {
            "Applied configuration without a reboot".to_owned()
        }
    }
}

fn summary(mode: &str, before: &str, after: &str) -> String {
    let mut text = format!("Dry run summary:\n{mode}.\n");
    if before == after {
        text.push_str("No changes.");
        return text;
    }
    let diff = TextDiff::from_lines(before, after);
    let diff = diff.unified_diff().context_radius(3).header("current", "new").to_string();
    text.push_str("Config diff:\n\n");
    text.push_str(&diff);
    text
}

impl Applier {
    pub(super) fn new(node: Node) -> Self {
        Self { node, trial: Mutex::new(None) }
    }

    fn present(&self, id: &str) -> Option<String> {
        self.node
            .store
            .get::<MachineConfigSpec>(NAMESPACE, id)
            .map(|config| config.spec.yaml_marshalled.clone())
    }

    /// Applies one configuration.
    pub(super) fn apply(&self, request: ApplyConfiguration) -> Result<Applied, CommandError> {
        let Ok(mut trial) = self.trial.try_lock() else {
            let text = "another configuration is being applied; try again when it is done";
            return Err(CommandError::new(Refusal::FailedPrecondition, text));
        };
        let invalid = |text: String| CommandError::new(Refusal::InvalidArgument, text);
        let text = String::from_utf8(request.data)
            .map_err(|_| invalid("the configuration is not UTF-8 text".to_owned()))?;
        let config =
            ::config::load(text.as_bytes()).map_err(|error| invalid(error_chain(&error)))?;
        let in_maintenance = self
            .node
            .config
            .complete(&self.node.store)
            .map_err(|error| CommandError::new(Refusal::Internal, error_chain(&error)))?
            .is_none();
        // The API looks at this too, but a configuration may have come since.
        if !in_maintenance && !request.administrator {
            return Err(CommandError::new(Refusal::PermissionDenied, "not authorized"));
        }
        if !in_maintenance && !config.is_complete() {
            return Err(invalid(
                "the configuration has no v1alpha1 document: a running node needs the whole configuration".to_owned(),
            ));
        }
        let warnings = check(&config, &self.node.platform)
            .map_err(|error| invalid(format!("the configuration is not valid: {error}")))?;
        let mode = effective(request.mode, in_maintenance)?;
        let timeout = request.try_timeout.unwrap_or(TRY_TIMEOUT);
        let details = details(mode, timeout);
        if request.dry_run {
            let before = self.present(ACTIVE).unwrap_or_default();
            return Ok(Applied { mode, details: summary(&details, &before, &text), warnings });
        }
        // Whatever is applied now is meant to stay, or is another trial.
        if mode != ApplyMode::Try
            && let Some(pending) = trial.take()
        {
            pending.abort();
        }
        self.put(mode, &text, timeout, &mut trial)?;
        Ok(Applied { mode, details, warnings })
    }

    fn put(
        &self,
        mode: ApplyMode,
        text: &str,
        timeout: Duration,
        trial: &mut Option<JoinHandle<()>>,
    ) -> Result<(), CommandError> {
        let internal = |error: &(dyn std::error::Error + 'static)| {
            CommandError::new(Refusal::Internal, error_chain(error))
        };
        let store = &self.node.store;
        if mode != ApplyMode::Try && self.node.platform.in_container() {
            // Written before it takes effect, so that a crash in between loses nothing. A machine's disk may not even
            // be there yet; it is written to as soon as it is.
            let path = self.node.paths.state().join(FILE);
            atomic::write_durable(&path, text.as_bytes(), 0o600)
                .map_err(|error| internal(&error))?;
        }
        match mode {
            ApplyMode::Staged => {
                active::put(store, PERSISTENT, text).map_err(|error| internal(&error))?;
            }
            ApplyMode::Try => {
                let before = self.present(ACTIVE);
                active::put(store, ACTIVE, text).map_err(|error| internal(&error))?;
                // A second trial goes back to what was before the first.
                if trial.as_ref().is_none_or(JoinHandle::is_finished)
                    && let Some(before) = before
                {
                    let node = self.node.clone();
                    *trial = Some(tokio::spawn(async move {
                        tokio::time::sleep(timeout).await;
                        if let Err(error) = active::put(&node.store, ACTIVE, &before) {
                            tracing::error!(%error, "a tried configuration is not taken back");
                        }
                    }));
                }
            }
            ApplyMode::Reboot | ApplyMode::Auto | ApplyMode::NoReboot => {
                active::put(store, PERSISTENT, text).map_err(|error| internal(&error))?;
                active::put(store, ACTIVE, text).map_err(|error| internal(&error))?;
            }
        }
        Ok(())
    }
}

impl Drop for Applier {
    fn drop(&mut self) {
        let trial = self.trial.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(trial) = trial.take() {
            trial.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Paths, Platform};

    const FULL: &str = include_str!("../../../../config/examples/v1alpha1.yaml");

    fn applier(root: &std::path::Path) -> Applier {
        let platform = Platform {
            name: "metal".into(),
            mode: Mode::Metal,
            instance_type: String::new(),
            user_data: None,
        };
        Applier::new(Node::new(platform, Paths::new(root), [0; 5]))
    }

    fn container(root: &std::path::Path) -> Applier {
        let platform = Platform {
            name: "container".into(),
            mode: Mode::Container,
            instance_type: String::new(),
            user_data: None,
        };
        Applier::new(Node::new(platform, Paths::new(root), [0; 5]))
    }

    /// What a container needs besides.
    fn with_dns() -> String {
        let dns = "apiVersion: v1alpha1\nkind: ResolverConfig\nhostDNS:\n  enabled: true\n  forwardKubeDNSToHost: true\n";
        format!("{FULL}---\n{dns}")
    }

    fn request(data: &str, mode: ApplyMode) -> ApplyConfiguration {
        ApplyConfiguration {
            data: data.as_bytes().to_vec(),
            mode,
            dry_run: false,
            administrator: true,
            try_timeout: Some(Duration::from_secs(30)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_mode_writes_and_activates_what_it_says() {
        let root = tempfile::tempdir().unwrap();
        let applier = applier(root.path());
        let kept = || applier.present(PERSISTENT).unwrap();
        let active = || applier.present(ACTIVE).unwrap();
        let applied = applier.apply(request(FULL, ApplyMode::Reboot)).unwrap();
        assert_eq!(applied.mode, ApplyMode::NoReboot, "in maintenance");
        assert_eq!((active(), kept()), (FULL.to_owned(), FULL.to_owned()));
        let refused = applier.apply(request(FULL, ApplyMode::Reboot)).unwrap_err();
        assert_eq!(refused.refusal, Refusal::Unimplemented);

        let changed = FULL.replacen("type: worker", "type: worker ", 1);
        let changed = if changed == FULL { format!("{FULL}\n") } else { changed };
        applier.apply(request(&changed, ApplyMode::Staged)).unwrap();
        assert_eq!((active(), kept()), (FULL.to_owned(), changed.clone()));

        applier.apply(request(FULL, ApplyMode::Auto)).unwrap();
        applier.apply(request(&changed, ApplyMode::Try)).unwrap();
        assert_eq!((active(), kept()), (changed.clone(), FULL.to_owned()));
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(active(), FULL, "taken back");

        applier.apply(request(&changed, ApplyMode::Try)).unwrap();
        applier.apply(request(&changed, ApplyMode::NoReboot)).unwrap();
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(active(), changed, "an apply ends the trial");
    }

    #[tokio::test]
    async fn a_dry_run_shows_the_difference_and_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let applier = applier(root.path());
        applier.apply(request(FULL, ApplyMode::Auto)).unwrap();
        let mut dry = request(&format!("{FULL}# more\n"), ApplyMode::Auto);
        dry.dry_run = true;
        let applied = applier.apply(dry).unwrap();
        assert!(applied.details.contains("Config diff:"), "{}", applied.details);
        assert!(applied.details.contains("+# more"), "{}", applied.details);
        assert_eq!(applier.present(ACTIVE).unwrap(), FULL);
        let mut same = request(FULL, ApplyMode::Auto);
        same.dry_run = true;
        assert!(applier.apply(same).unwrap().details.ends_with("No changes."));
    }

    #[tokio::test]
    async fn what_does_not_load_is_refused_and_nothing_is_written() {
        let root = tempfile::tempdir().unwrap();
        let applier = applier(root.path());
        let refused = applier.apply(request("machine: [", ApplyMode::Auto)).unwrap_err();
        assert_eq!(refused.refusal, Refusal::InvalidArgument);
        assert!(!root.path().join("system/state/config.yaml").exists());
        applier.apply(request(FULL, ApplyMode::Auto)).unwrap();
        let partial = "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a\n";
        let refused = applier.apply(request(partial, ApplyMode::Auto)).unwrap_err();
        assert!(refused.message.contains("v1alpha1"), "{refused}");
    }

    /// The disk is the kernel's, full, and seen by one thread only; this needs root.
    #[test]
    fn a_full_disk_refuses_a_change_and_keeps_what_is() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("system/state");
        let test = || {
            sys::namespace::unshare(sys::namespace::Namespaces::MOUNT).expect("this needs root");
            sys::mount::propagate("/", sys::mount::Propagation::Private, true).unwrap();
            std::fs::create_dir_all(&state).unwrap();
            let none = sys::mount::MountFlags::empty();
            sys::mount::mount("tmpfs", "disk", &state, none, "size=128k").unwrap();
            let full = with_dns();
            let applier = container(root.path());
            applier.apply(request(&full, ApplyMode::Auto)).unwrap();

            let filler = state.join("filler");
            let mut file = std::fs::File::create(&filler).unwrap();
            while std::io::Write::write(&mut file, &[0; 4096]).is_ok_and(|written| written > 0) {}
            let changed = format!("{full}# {}\n", "more ".repeat(2000));
            let refused = applier.apply(request(&changed, ApplyMode::Auto)).unwrap_err();
            assert!(refused.message.contains("No space left on device"), "{refused}");
            assert!(refused.message.contains("config.yaml"), "{refused}");
            assert_eq!(applier.present(ACTIVE).unwrap(), full);
            assert_eq!(std::fs::read_to_string(state.join("config.yaml")).unwrap(), full);

            // The room comes back when the last handle is closed.
            drop(file);
            std::fs::remove_file(&filler).unwrap();
            applier.apply(request(&changed, ApplyMode::Auto)).unwrap();
            assert_eq!(applier.present(ACTIVE).unwrap(), changed);
            let files: Vec<_> = std::fs::read_dir(&state).unwrap().flatten().collect();
            assert_eq!(files.len(), 1, "{files:?}");
        };
        std::thread::scope(|scope| scope.spawn(test).join().unwrap());
    }

    #[tokio::test]
    async fn anybody_may_give_the_first_configuration_and_nobody_the_second() {
        let root = tempfile::tempdir().unwrap();
        let applier = applier(root.path());
        let anybody = |data: &str| {
            let mut request = request(data, ApplyMode::Auto);
            request.administrator = false;
            request
        };
        let partial = "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a\n";
        applier.apply(anybody(partial)).unwrap();
        applier.apply(anybody(FULL)).unwrap();
        let refused = applier.apply(anybody(FULL)).unwrap_err();
        assert_eq!(refused.refusal, Refusal::PermissionDenied);
        applier.apply(request(FULL, ApplyMode::Auto)).unwrap();
    }

    #[tokio::test]
    async fn a_container_writes_it_before_it_takes_effect() {
        let root = tempfile::tempdir().unwrap();
        let applier = container(root.path());
        let text = with_dns();
        applier.apply(request(&text, ApplyMode::Staged)).unwrap();
        let file = root.path().join("system/state/config.yaml");
        assert_eq!(std::fs::read_to_string(file).unwrap(), text);
        assert_eq!(applier.present(ACTIVE), None);
    }

    #[tokio::test]
    async fn a_machine_keeps_what_it_is_given_until_its_disk_is_there() {
        let root = tempfile::tempdir().unwrap();
        let applier = applier(root.path());
        applier.apply(request(FULL, ApplyMode::Auto)).unwrap();
        let staged = format!("{FULL}# later\n");
        applier.apply(request(&staged, ApplyMode::Staged)).unwrap();
        assert_eq!(applier.present(ACTIVE).unwrap(), FULL);
        assert_eq!(applier.present(PERSISTENT).unwrap(), staged);
        assert!(!root.path().join("system").exists(), "there is no disk to write to");
    }
}
