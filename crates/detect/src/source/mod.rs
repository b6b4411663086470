//! Source files as facts: what is called, by its full name.

mod calls;
pub mod facts;
pub(crate) mod names;
pub mod python;
mod python_values;
pub mod r;
pub mod rust;
pub(crate) mod tree;
