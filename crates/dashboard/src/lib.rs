//! The terminal dashboard: what the machines of a cluster are and do, live.
//!
//! [`source`] brings what machines say, [`model`] keeps it, [`screen`] draws it; [`run`] joins the three on a terminal. The model and the
//! screens are functions of what they are given: they do no I/O and ask no clock, so a test draws any moment it likes.
//!
//! Nothing here changes a machine. Start reading at [`App`].

mod app;
mod frame;
mod model;
mod screen;
mod source;
mod svg;
mod terminal;

pub use app::{Action, App, Key, Screen};
pub use model::{Machine, Sample, Update};
pub use source::{Channel, Target};
pub use svg::to_svg;
pub use terminal::{DashboardError, Options, run, screenshot};
