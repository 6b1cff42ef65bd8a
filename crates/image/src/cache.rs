//! Makes the image cache: every pinned image, under its public name, in one OCI image layout.

use std::collections::HashMap;
use std::path::Path;

use registry::layer::{Layer, Source};
use registry::manifest::{Descriptor, Execution};
use registry::reference::ReferenceError;
use registry::writer::{Writer, WriterError};

use crate::component::{ComponentError, Workshop};
use crate::debian::DebianError;
use crate::pins::LayerPin;

/// The search path of every image.
const PATH: &str = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin";

/// Users of the images that do not run as root.
const PASSWD: &str = "root:x:0:0:root:/:/\nnobody:x:65534:65534:nobody:/:/\n";

/// Directories that programs expect and that volumes are mounted on.
const DIRECTORIES: [&str; 7] = ["dev", "etc", "proc", "run", "sys", "usr", "var"];

/// Why the image cache could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A part is not to be had.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A package's file is not to be had.
    #[error("layer `{layer}`")]
    Layer {
        /// The layer.
        layer: String,
        /// What is wrong.
        #[source]
        source: DebianError,
    },
    /// An image's name is not a full name.
    #[error(transparent)]
    Name(#[from] ReferenceError),
    /// The layout could not be written.
    #[error(transparent)]
    Write(#[from] WriterError),
}

/// Builds what the images need and writes the layout into the directory.
pub fn build(workshop: &Workshop<'_>, directory: &Path) -> Result<(), CacheError> {
    let pins = workshop.pins();
    let mut writer = Writer::create(directory, &pins.architecture)?;
    let mut written: HashMap<&str, Descriptor> = HashMap::new();
    for pin in &pins.layer {
        let descriptor = writer.layer(&layer(workshop, pin)?)?;
        written.insert(&pin.name, descriptor);
    }
    for image in &pins.image {
        let layers: Vec<Descriptor> =
            image.layers.iter().filter_map(|name| written.get(name.as_str()).cloned()).collect();
        let execution = Execution {
            user: image.user.clone(),
            env: vec![PATH.to_owned()],
            entrypoint: image.entrypoint.clone(),
            working_dir: "/".to_owned(),
        };
        writer.image(&image.references()?, execution, &layers)?;
    }
    Ok(writer.finish()?)
}

fn layer(workshop: &Workshop<'_>, pin: &LayerPin) -> Result<Layer, CacheError> {
    let mut layer = Layer::new();
    for directory in DIRECTORIES {
        layer.directory(directory, 0o755);
    }
    layer.directory("tmp", 0o1777);
    for (path, program) in &pin.files {
        layer.file(path, Source::Path(workshop.program(program)?), 0o755);
    }
    for (path, target) in &pin.links {
        layer.link(path, target);
    }
    if pin.passwd {
        layer.file("etc/passwd", Source::Bytes(PASSWD.into()), 0o644);
    }
    if !pin.debian.is_empty() {
        workshop
            .debian()?
            .install(&mut layer, &pin.debian)
            .map_err(|source| CacheError::Layer { layer: pin.name.clone(), source })?;
    }
    Ok(layer)
}
