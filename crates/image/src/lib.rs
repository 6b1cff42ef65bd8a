//! Root image, image cache and boot artefacts.
