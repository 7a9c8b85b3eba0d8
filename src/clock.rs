//! The only reader of the wall clock and of randomness; everything else takes `now`, nonces and jitter as arguments.

use aws_lc_rs::rand;
use jiff::Timestamp;

/// The current time.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// 32 hexadecimal digits nobody has used before.
///
/// The system's generator does not fail once the process runs; were it to, the nonce would be all zeros and a cloud
/// would refuse the second request that carries it.
pub fn nonce() -> String {
    let mut bytes = [0u8; 16];
    if rand::fill(&mut bytes).is_err() {
        tracing::error!("the system's random number generator failed");
    }
    hex::encode(bytes)
}

/// A number in `[0, 1)` for spreading requests over time; not for secrets.
pub fn jitter() -> f64 {
    fastrand::f64()
}
