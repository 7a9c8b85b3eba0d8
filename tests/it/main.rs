//! The whole binary over real HTTP, and the rules of the house.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "a test that meets something odd fails"
)]

mod architecture;
mod bundle;
mod clocks;
mod credentials_aliyun;
mod credentials_huawei;
mod credentials_tencent;
mod demand;
mod demo;
mod dialects;
mod exposition;
mod fake;
mod faults;
mod golden;
mod harness;
mod outgoing;
mod protobuf;
mod queries;
mod reference;
mod reload;
mod secrets;
mod state;
mod storms;
mod strain;
mod supervision;
mod web;
