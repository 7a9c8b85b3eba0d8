//! Three simulated clouds on loopback, as strict as the vendors, and a world for them to tell of.
//!
//! The exporter polls them by its ordinary code path; nothing here is used when it polls the real ones.

pub mod aliyun;
mod http;
pub mod huawei;
mod standing;
pub mod strict;
pub mod tencent;
pub mod world;

pub use http::{Answered, Asked, Simulator, serve};
