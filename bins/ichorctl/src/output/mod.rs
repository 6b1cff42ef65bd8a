//! How results and failures look.

pub(crate) mod age;
pub(crate) mod failure;
pub(crate) mod size;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod value;
