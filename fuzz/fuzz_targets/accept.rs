//! The choice of a format by a request's `Accept` header.
#![no_main]

use cloud_task_exporter::metrics::negotiate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|accept: &str| {
    let format = negotiate(Some(accept));
    assert_eq!(negotiate(Some(&accept.to_ascii_uppercase())), format, "letter case says nothing");
    assert_eq!(negotiate(Some(&format!("{accept},image/png"))), format, "what we do not have decides nothing");
    assert_eq!(negotiate(Some(&format!("image/png;q=0.9 , {accept}"))), format, "what we do not have decides nothing");
});
