//! A Prometheus exporter for batch jobs and cluster operations of Tencent Cloud Batch, Alibaba Cloud Container Service and
//! Huawei Cloud CCE.
#![doc = ""]

pub mod clock;
pub mod cloud;
pub mod demo;
pub mod metrics;
pub mod model;
pub mod server;
pub mod telemetry;
