//! Kernel parameters of a machine: the contract's defaults, what the configuration asks for, and what the kernel has.
//!
//! A container's kernel is another system's: nothing is written there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use boot::settings::SETTINGS;
use resource::config::MachineConfigSpec;
use resource::runtime::{
    DevicesStatusSpec, KernelParamDefaultSpecSpec, KernelParamSpecSpec, KernelParamStatusSpec,
};

use crate::config::active::{ACTIVE, NAMESPACE};
use crate::plain::plain;
use crate::{Node, Paths};

const RUNTIME: &str = "runtime";

/// A parameter was refused.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refuses {value:?} for {id}")]
struct RefusedError {
    id: String,
    value: String,
    #[source]
    source: io::Error,
}

/// One parameter as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    value: String,
    ignore_errors: bool,
}

/// The id of a parameter below `/proc/sys`, whose name has slashes or dots.
fn id_of_sysctl(name: &str) -> String {
    format!("proc.sys.{}", name.replace('/', "."))
}

/// The file of a parameter.
fn path(paths: &Paths, id: &str) -> PathBuf {
    paths.at("/").join(id.replace('.', "/"))
}

/// What shall be: the defaults, and what the configuration asks for instead.
fn plan(
    defaults: impl IntoIterator<Item = (String, Wanted)>,
    specs: impl IntoIterator<Item = (String, Wanted)>,
) -> BTreeMap<String, Wanted> {
    defaults.into_iter().chain(specs).collect()
}

/// What became of a parameter.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    before: String,
    now: String,
    /// This kernel does not have it.
    unsupported: bool,
}

fn write(paths: &Paths, id: &str, value: &str) -> io::Result<Written> {
    let path = path(paths, id);
    let before = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Written { before: String::new(), now: String::new(), unsupported: true });
        }
        // Some can only be written.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => String::new(),
        read => read?.trim().to_owned(),
    };
    if before != value {
        fs::write(&path, format!("{value}\n"))?;
    }
    let now =
        fs::read_to_string(&path).map_or_else(|_| value.to_owned(), |now| now.trim().to_owned());
    Ok(Written { before, now, unsupported: false })
}

/// Adds the controllers of kernel parameters.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    if node.platform.in_container() {
        return Ok(());
    }
    controllers.register(plain(
        "runtime.KernelParamDefaultsController",
        Vec::new(),
        vec![Output::exclusive::<KernelParamDefaultSpecSpec>()],
        |context: &Context| -> Result<Next, ControllerError> {
            for (name, value) in SETTINGS {
                let id = id_of_sysctl(name);
                context.modify::<KernelParamDefaultSpecSpec>(RUNTIME, &id, |spec| {
                    value.clone_into(&mut spec.value);
                })?;
            }
            Ok(Next::OnChange)
        },
    ))?;
    let active = node.config.clone();
    controllers.register(plain(
        "runtime.KernelParamConfigController",
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)],
        vec![Output::exclusive::<KernelParamSpecSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let config = active.config(context.store())?;
            let wanted: BTreeMap<String, String> = config
                .iter()
                .flat_map(|config| {
                    let view = config.view();
                    let sysctls = view.sysctls().into_iter();
                    let sysctls = sysctls.map(|(name, value)| (id_of_sysctl(&name), value));
                    let sysfs = view.sysfs().into_iter();
                    let sysfs = sysfs
                        .map(|(name, value)| (format!("sys.{}", name.replace('/', ".")), value));
                    sysctls.chain(sysfs).collect::<Vec<_>>()
                })
                .collect();
            for (id, value) in &wanted {
                context.modify::<KernelParamSpecSpec>(RUNTIME, id, |spec| {
                    spec.value.clone_from(value);
                })?;
            }
            context
                .cleanup::<KernelParamSpecSpec>(RUNTIME, |spec| wanted.contains_key(spec.id()))?;
            Ok(Next::OnChange)
        },
    ))?;
    register_writer(controllers, node)
}

fn register_writer(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let paths = node.paths.clone();
    // What the kernel had before this program came.
    let mut originals: BTreeMap<String, String> = BTreeMap::new();
    controllers.register(plain(
        "runtime.KernelParamSpecController",
        vec![
            Input::weak::<KernelParamDefaultSpecSpec>(RUNTIME),
            Input::weak::<KernelParamSpecSpec>(RUNTIME),
            // Modules bring parameters with them.
            Input::weak::<DevicesStatusSpec>(RUNTIME),
        ],
        vec![Output::exclusive::<KernelParamStatusSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let defaults = context.list::<KernelParamDefaultSpecSpec>(RUNTIME).into_iter();
            let defaults = defaults.map(|found| {
                let (value, ignore_errors) = (found.spec.value.clone(), found.spec.ignore_errors);
                (found.id().to_owned(), Wanted { value, ignore_errors })
            });
            let specs = context.list::<KernelParamSpecSpec>(RUNTIME).into_iter();
            let specs = specs.map(|found| {
                let (value, ignore_errors) = (found.spec.value.clone(), found.spec.ignore_errors);
                (found.id().to_owned(), Wanted { value, ignore_errors })
            });
            let wanted = plan(defaults, specs);
            restore(context, &paths, &wanted, &originals)?;
            let mut failed = None;
            for (id, Wanted { value, ignore_errors }) in &wanted {
                match write(&paths, id, value) {
                    Ok(written) => {
                        let original = originals.entry(id.clone()).or_insert(written.before);
                        context.modify::<KernelParamStatusSpec>(RUNTIME, id, |status| {
                            status.current.clone_from(&written.now);
                            status.default.clone_from(original);
                            status.unsupported = written.unsupported;
                        })?;
                    }
                    Err(_) if *ignore_errors => {}
                    // The others are written all the same.
                    Err(source) => {
                        let (id, value) = (id.clone(), value.clone());
                        failed.get_or_insert(RefusedError { id, value, source });
                    }
                }
            }
            let kept: BTreeSet<&str> = wanted.keys().map(String::as_str).collect();
            context
                .cleanup::<KernelParamStatusSpec>(RUNTIME, |status| kept.contains(status.id()))?;
            failed.map_or(Ok(Next::OnChange), |error| Err(error.into()))
        },
    ))?;
    Ok(())
}

/// Gives the parameters that nobody wants any more the value that they had.
fn restore(
    context: &Context,
    paths: &Paths,
    wanted: &BTreeMap<String, Wanted>,
    originals: &BTreeMap<String, String>,
) -> Result<(), ControllerError> {
    for status in context.list::<KernelParamStatusSpec>(RUNTIME) {
        let id = status.id();
        let gone = !wanted.contains_key(id) && !status.spec.unsupported;
        if let Some(original) = originals.get(id).filter(|_| gone) {
            write(paths, id, original).map_err(|source| RefusedError {
                id: id.to_owned(),
                value: original.clone(),
                source,
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(value: &str) -> Wanted {
        Wanted { value: value.to_owned(), ignore_errors: false }
    }

    #[test]
    fn the_configuration_goes_before_the_defaults() {
        let pair = |id: &str, value: &str| (id.to_owned(), wanted(value));
        let plan = plan([pair("a", "1"), pair("b", "1")], [pair("b", "2"), pair("c", "3")]);
        let values: Vec<_> = plan.values().map(|wanted| wanted.value.as_str()).collect();
        assert_eq!(values, ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn parameters_are_written_and_given_back() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("proc/sys/kernel/panic");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "0\n").unwrap();
        let platform = crate::Platform {
            name: "metal".into(),
            mode: crate::Mode::Metal,
            instance_type: String::new(),
            user_data: None,
        };
        let node = Node::new(platform, Paths::new(root.path()), [0; 5]);
        let mut controllers = Runtime::new(node.store.clone());
        register_writer(&mut controllers, &node).unwrap();
        let running = tokio::spawn(controllers.run(std::future::pending()));
        let id = "proc.sys.kernel.panic";
        let spec = KernelParamSpecSpec { value: "10".into(), ..Default::default() };
        node.store.create("", RUNTIME, id, spec).unwrap();
        let absent = KernelParamSpecSpec { value: "1".into(), ..Default::default() };
        node.store.create("", RUNTIME, "proc.sys.absent", absent).unwrap();
        let status = |id: &'static str| {
            node.store.wait_for::<KernelParamStatusSpec>(RUNTIME, id, |status| status.is_some())
        };
        let written = status(id).await.unwrap();
        assert_eq!((written.spec.current.as_str(), written.spec.default.as_str()), ("10", "0"));
        assert!(status("proc.sys.absent").await.unwrap().spec.unsupported);
        assert_eq!(fs::read_to_string(&file).unwrap(), "10\n");
        node.store.remove::<KernelParamSpecSpec>("", RUNTIME, id).unwrap();
        node.store.wait_for::<KernelParamStatusSpec>(RUNTIME, id, |status| status.is_none()).await;
        assert_eq!(fs::read_to_string(&file).unwrap(), "0\n");
        running.abort();
    }
}
