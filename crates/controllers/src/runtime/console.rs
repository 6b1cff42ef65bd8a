//! The machine's own screen: the dashboard on one virtual terminal, the kernel's messages on another.
//!
//! The dashboard is a process of its own without privileges; all that it has is its terminal and the machine API's
//! socket, where it is a reader. A machine without a screen has neither terminal, and nothing is started.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::future::BoxFuture;
use sys::process::{Capabilities, Spawn, Stdio};

use super::daemons::{APID_USER, PROGRAM};
use super::service::{Condition, ProcessRunner, RunError, Spec, error_chain};
use crate::Node;
use crate::cri::services::cgroup;

/// Where the kernel's messages go.
const MESSAGES: u8 = 1;
/// Where the dashboard is, unless the kernel's command line says otherwise.
const DASHBOARD: u8 = 2;
/// Where the dashboard asks.
const MACHINE_SOCKET: &str = "/system/run/machined/machine.sock";

/// Adds the controller of the screen.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    if node.platform.in_container() || node.arguments.dashboard_disabled {
        return Ok(());
    }
    controllers.register(Screen { node: node.clone() })?;
    Ok(())
}

/// Shows the kernel's messages again, for a machine that goes down.
pub(super) fn show_messages() {
    // Without a screen there is nothing to show.
    let _ = sys::console::show(MESSAGES);
}

struct Screen {
    node: Node,
}

/// The dashboard on the terminal `number`.
fn dashboard(node: &Node, number: u8) -> Spec {
    let log = node.log("dashboard");
    let terminal = sys::console::terminal(number);
    let runner = ProcessRunner::new(&node.paths.run(), "dashboard", move || {
        let failed = |error| {
            RunError::new(format!("cannot open the terminal {}", terminal.display()), error)
        };
        let opened = || -> io::Result<(File, File)> {
            let file = File::options().read(true).write(true).open(&terminal)?;
            Ok((file.try_clone()?, file))
        };
        let (input, output) = opened().map_err(failed)?;
        let spawn = Spawn::new(PROGRAM)
            .arg0("dashboard")
            .env("PATH", "/usr/bin")
            .env("TERM", "linux")
            .stdin(Stdio::Fd(input.into()))
            .stdout(Stdio::Fd(output.into()))
            .stderr(Stdio::Append(log.clone()))
            .oom_score_adj(-400)
            .user(APID_USER, APID_USER)
            .capabilities(Capabilities::NONE)
            .no_new_privs()
            .new_session();
        Ok(cgroup("system/dashboard")?.into_iter().fold(spawn, Spawn::cgroup_procs))
    });
    let socket: PathBuf = node.paths.at(MACHINE_SOCKET);
    Spec::new("dashboard", runner).waits_for(Condition::file(socket))
}

impl Controller for Screen {
    fn name(&self) -> &'static str {
        "runtime.DashboardController"
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(&'a mut self, _: &'a Context) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let number = self.node.arguments.dashboard_console.unwrap_or(DASHBOARD);
            let arranged = sys::console::kernel_messages_to(MESSAGES)
                .and_then(|()| sys::console::show(number));
            if let Err(error) = arranged {
                tracing::info!("this machine has no screen: {}", error_chain(&error));
                return Ok(Next::OnChange);
            }
            self.node.supervisor.load(dashboard(&self.node, number)).await;
            self.node.supervisor.start("dashboard").await?;
            Ok(Next::OnChange)
        })
    }
}
