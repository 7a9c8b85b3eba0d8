//! A Prometheus exporter for batch jobs and cluster operations of Tencent Cloud Batch, Alibaba Cloud Container Service and
//! Huawei Cloud CCE.
#![doc = ""]

pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod demo;
pub mod model;
