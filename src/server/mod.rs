//! The HTTP side: `/metrics`, the landing page and the health checks, over plain connections or TLS, open or for those who have a password.
//!
//! It shows what a [`Source`] knows and never asks a cloud. A request costs no more than copying: what a scrape answers
//! was rendered before.

mod fair;
mod listen;
mod page;
mod route;
mod scrape;
pub mod security;
mod source;
mod stall;
#[cfg(test)]
mod tests;

pub use listen::{Limits, serve};
pub use source::{AccountLine, AccountState, Listing, Overview, Source, TaskLine};
