//! Answers to DescribeTask of both APIs, under every status.
#![no_main]

use cloud_task_exporter::cloud::tencent::read_answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| laws::every_status("tencent", body, |answer| read_answer("job-97zcl3wt/A", answer)));
