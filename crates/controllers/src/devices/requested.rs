//! Modules that the configuration names: loaded with their parameters, as soon as they are named.

use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use boot::module::Name;
use futures::future::BoxFuture;
use resource::config::MachineConfigSpec;
use resource::runtime::KernelModuleSpecSpec;

use super::modules::Modules;
use crate::Node;
use crate::config::active::{ACTIVE, NAMESPACE};
use crate::plain::plain;

/// Adds the controllers of named modules.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let active = node.config.clone();
    controllers.register(plain(
        "runtime.KernelModuleConfigController",
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)],
        vec![Output::exclusive::<KernelModuleSpecSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let wanted = match active.config(context.store())? {
                Some(config) => config.view().kernel_modules(),
                None => return Ok(Next::OnChange),
            };
            for (name, parameters) in &wanted {
                context.modify::<KernelModuleSpecSpec>("runtime", name, |spec| {
                    spec.string.clone_from(name);
                    spec.parameters.clone_from(parameters);
                })?;
            }
            context.cleanup::<KernelModuleSpecSpec>("runtime", |spec| {
                wanted.contains_key(spec.id())
            })?;
            Ok(Next::OnChange)
        },
    ))?;
    controllers.register(Requested { node: node.clone() })?;
    Ok(())
}

/// Loads what is named. A module is never taken out again: somebody may be using it.
struct Requested {
    node: Node,
}

impl Controller for Requested {
    fn name(&self) -> &'static str {
        "runtime.KernelModuleSpecController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<KernelModuleSpecSpec>("runtime")]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let wanted: Vec<(Name, String)> = context
                .list::<KernelModuleSpecSpec>("runtime")
                .iter()
                .map(|spec| (Name::new(&spec.spec.string), spec.spec.parameters.join(" ")))
                .collect();
            if wanted.is_empty() {
                return Ok(Next::OnChange);
            }
            let directory = super::directory(&self.node.paths);
            let loaded = tokio::task::spawn_blocking(move || {
                let modules = Modules::read(&directory)?;
                for (name, parameters) in &wanted {
                    modules.load(name, parameters)?;
                }
                Ok::<_, ControllerError>(())
            });
            loaded.await??;
            Ok(Next::OnChange)
        })
    }
}
