//! This node's object in the API: what it carries, and what it says.

mod apply;
mod status;

pub(super) use apply::controllers as apply;
pub(super) use status::controllers as status;
