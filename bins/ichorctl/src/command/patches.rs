//! Patches given on the command line: texts or files.

use anyhow::Context;
use config::patch::{self, Patch};

use crate::files;

/// Reads patches, each a text or, after @, the name of a file.
pub(crate) fn read(arguments: &[String]) -> anyhow::Result<Vec<Patch>> {
    arguments
        .iter()
        .map(|argument| match patch::reference(argument) {
            Some(file) => {
                let text =
                    files::read(file).with_context(|| format!("using the patch {argument}"))?;
                patch::load(&text).with_context(|| format!("using the patch {file}"))
            }
            None => patch::load(argument.as_bytes())
                .with_context(|| format!("using the patch {argument:?}")),
        })
        .collect()
}
