//! Builds the small programs of our own that go into images: one file each, no dependencies.

use std::path::Path;
use std::process::Command;

use crate::component::ComponentError;
use crate::pins::RustPin;
use crate::store::{Inputs, Part, Store};
use crate::tool;

/// Flags of every such program: small, and without any trace of where it was built.
const FLAGS: [&str; 4] = ["--edition=2024", "-Copt-level=z", "-Cpanic=abort", "-Cstrip=symbols"];

/// Builds the pin's program unless the store has it.
pub(crate) fn build(sources: &Path, store: &Store, pin: &RustPin) -> Result<Part, ComponentError> {
    let what = format!("building {} {}", pin.name, pin.version);
    let failed = |source| ComponentError::Tool { name: pin.name.clone(), source };
    let directory = sources.join(&pin.name);
    let source = directory.join("main.rs");
    let mut inputs = Inputs::new();
    let mut version = Command::new("rustc");
    version.arg("-vV").current_dir(sources);
    inputs
        .text("rustc", &tool::text(&what, &mut version).map_err(failed)?)
        .text("recipe", &format!("{FLAGS:?} {pin:?}"))
        .file(&source)?;
    store.part(&pin.name, &inputs, |output| {
        let mut rustc = Command::new("rustc");
        rustc.current_dir(&directory).args(FLAGS).args(&pin.flags);
        rustc.arg("--crate-name").arg(&pin.name);
        if let Some(target) = &pin.target {
            rustc.args(["--target", target]);
        }
        rustc.arg("-o").arg(output.join(&pin.name)).arg("main.rs");
        tool::run(&what, &mut rustc).map_err(failed)?;
        Ok(())
    })
}
