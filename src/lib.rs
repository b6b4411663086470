//! The map goes here.

pub mod data;
pub mod model;
pub mod spec;
pub mod sys;
pub mod train;
