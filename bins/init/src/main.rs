//! PID 1 of a node.
//!
//! It prepares the mounts and cgroups that everything else takes for granted, keeps machined
//! running, reaps orphans, forwards signals, and ends the machine when machined says how. It has
//! no configuration and never talks to a network: what can be decided later is machined's.
//!
//! Under the name `modprobe` it is what the kernel calls for a module that it needs ([`modprobe`]).
//!
//! On a machine it runs twice: in the initramfs, where it finds the root image and makes it the
//! root ([`initramfs`]), and then from that image. In a container there is only the second part.

mod cgroups;
mod console;
mod ending;
mod etc;
mod fatal;
mod initramfs;
mod modprobe;
mod mounts;
mod platform;
mod random;
mod settings;
mod supervise;
mod sysctls;

use std::error::Error;
use std::process::ExitCode;

use console::Console;
use platform::Platform;

fn main() -> ExitCode {
    if std::process::id() != 1 && modprobe::is_called() {
        return modprobe::run();
    }
    if std::process::id() != 1 {
        eprintln!("init: this program prepares a machine and must be its first process (PID 1)");
        return ExitCode::FAILURE;
    }
    if initramfs::is_here() {
        return initramfs::run();
    }
    let platform = Platform::detect();
    if let Err(error) = mounts::basic(platform) {
        return fatal::end(platform, &mut Console::standard(), "early mounts failed", &error);
    }
    let mut console = Console::open(platform);
    let prepared = supervise::signals().map_err(Box::from).and_then(|signals| {
        supervise::read_ahead(&signals);
        prepare(platform, &mut console)?;
        Ok::<_, Box<dyn Error>>(signals)
    });
    let signals = match prepared {
        Ok(signals) => signals,
        Err(error) => {
            let what = "the machine cannot be prepared";
            return fatal::end(platform, &mut console, what, error.as_ref());
        }
    };
    match supervise::run(platform, &mut console, &signals) {
        Ok(ending) => match ending::end(platform, ending, &mut console) {
            Ok(()) => ExitCode::FAILURE,
            Err(error) => fatal::end(platform, &mut console, "the machine cannot be ended", &error),
        },
        Err(error) => fatal::end(platform, &mut console, "machined cannot be supervised", &error),
    }
}

/// Everything between the first mounts and machined.
fn prepare(platform: Platform, console: &mut Console) -> Result<(), Box<dyn Error>> {
    if platform == Platform::Machine {
        fatal::catch_panics();
        mounts::machine_views()?;
        sys::system::catch_ctrl_alt_del()?;
        random::seed(console);
    }
    mounts::writable()?;
    etc::prepare()?;
    match platform {
        Platform::Container => {
            mounts::optional_software()?;
            sysctls::protect(console)?;
        }
        Platform::Machine => settings::apply(console),
    }
    mounts::share()?;
    cgroups::prepare(platform, console)?;
    raise_open_files(console);
    Ok(())
}

/// The contract's limit, or as much of it as the host allows.
fn raise_open_files(console: &mut Console) {
    const WANTED: u64 = 1_048_576;
    if sys::system::limit_open_files(WANTED).is_ok() {
        return;
    }
    let hard = sys::system::open_files_limit().unwrap_or(WANTED).min(WANTED);
    match sys::system::limit_open_files(hard) {
        Ok(()) => console.say(&format!("open files are limited to {hard} by the host")),
        Err(error) => console.error("cannot raise the limit of open files", &error),
    }
}
