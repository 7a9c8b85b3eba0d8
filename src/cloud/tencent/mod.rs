//! Placeholder until the cloud's own branch lands.

mod config;

pub use config::Section;
