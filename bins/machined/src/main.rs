//! The node's daemon, and by other names the daemons at its border.
//!
//! One program, several roles: `machined` holds the resources and runs the controllers, `apid`, `trustd` and `dashboard`
//! are processes of their own without privileges. The role is the name the program is started under, or its first
//! argument. Only wiring here: what the roles do is in the crates `controllers` and `server`.

mod daemon;
mod log;
mod machined;

use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let own = arguments.next().unwrap_or_default();
    let name = Path::new(&own).file_name().map(|name| name.to_string_lossy().into_owned());
    let first = arguments.next().map(|argument| argument.to_string_lossy().into_owned());
    let role = match (first, name) {
        (Some(first), _) => first,
        (None, Some(name)) => name,
        (None, None) => String::new(),
    };
    let outcome = match role.as_str() {
        "machined" => machined::run(),
        "apid" => daemon::apid(),
        "trustd" => daemon::trustd(),
        "dashboard" => daemon::dashboard(),
        other => {
            eprintln!(
                "machined: {other:?} is no role of this program: use machined, apid, trustd or dashboard"
            );
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        eprintln!("{role}: {error:#}");
        ExitCode::FAILURE
    })
}
