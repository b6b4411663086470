//! The whole service, as it is spoken to over its socket.

mod bench;
mod bursts;
mod crowds;
mod deliveries;
mod health;
mod looks;
pub(super) mod mutated;
mod pages;
mod rights;
mod streams;
mod tls;
