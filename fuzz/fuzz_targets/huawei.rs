//! Answers to ShowJob, under every status.
#![no_main]

use cloud_task_exporter::cloud::huawei::read_answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| laws::every_status("huawei", body, read_answer));
