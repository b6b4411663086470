//! What `detect` says of checkouts.

mod corpus;
mod hostile;
mod rules;
