//! Answers to DescribeTaskInfo, under every status.
#![no_main]

use cloud_task_exporter::cloud::aliyun::read_answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| laws::every_status("aliyun", body, read_answer));
