//! A panic as one line of the log like any other.
//!
//! Its message is told only if it stands in the code as it is: one that was put together may hold what a cloud, or a key
//! file, said.

use std::io::Write as _;
use std::panic::{PanicHookInfo, set_hook};

/// Panics of every thread are logged from now on, or, before the log is set up, told in one line on standard error.
pub fn report_panics() {
    set_hook(Box::new(|info| {
        let (place, message) = (place(info), message(info));
        if tracing::dispatcher::has_been_set() {
            let thread = std::thread::current();
            let thread = thread.name().unwrap_or_default();
            tracing::error!(place, cause = message, thread, "a bug: the code panicked");
        } else {
            // There is nobody left to tell that standard error is closed.
            drop(writeln!(std::io::stderr(), "error: a bug: the code panicked at {place}: {message}"));
        }
    }));
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map(ToString::to_string).unwrap_or_default()
}

fn message(info: &PanicHookInfo<'_>) -> &'static str {
    info.payload().downcast_ref::<&'static str>().copied().unwrap_or("not told, for it may hold data")
}
