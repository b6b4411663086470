//! Source files as facts: what is called, by its full name.

mod calls;
pub mod facts;
mod names;
pub mod python;
mod python_values;
pub mod r;
pub mod rust;
mod tree;
