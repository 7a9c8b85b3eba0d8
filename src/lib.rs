//! A Prometheus exporter for batch jobs and cluster operations of Tencent Cloud Batch, Alibaba Cloud Container Service and
//! Huawei Cloud CCE.
//!
//! The map; ARCHITECTURE.md has the reasons and says which room may use which. Data flows one way:
//! [`config`] → [`poll`] (when: [`schedule`], what: [`cloud`]) → [`store`] → [`metrics`] → [`server`].

pub mod app;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod demo;
pub mod metrics;
pub mod model;
pub mod poll;
pub mod schedule;
pub mod server;
pub mod store;
pub mod telemetry;
