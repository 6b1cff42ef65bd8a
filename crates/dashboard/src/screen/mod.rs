//! The screens: each draws a machine into an area.

pub(crate) mod monitor;
pub(crate) mod summary;

#[cfg(test)]
mod tests;
