//! What the vendor's error codes mean for the exporter: a table each for the codes of API 3.0 and the numbers of API 2.0.
//!
//! Messages come in the language of the account and may echo a signature, so nothing is decided by them, and those of
//! refused signatures are not kept. <https://www.tencentcloud.com/document/product/599/30483> lists the common codes.

use crate::cloud::{Answer, Error, Retry};
use crate::model::Reason;
use http::StatusCode;
use std::time::Duration;

/// The code of an answer that would have been too large: a smaller page may do.
pub(super) const TOO_LARGE: &str = "ResponseSizeLimitExceeded";

const REFUSED: &str = "the key was refused; check secret_id, secret_key, token and that they belong to this site";
const CLOCK: &str = "the signature is out of date; this machine's clock is wrong by minutes";
const FORBIDDEN: &str =
    "the key may not do this; allow batch:DescribeTask, batch:DescribeJob and batch:DescribeJobs in CAM";

/// An error of the code and the message in a `Response`.
pub(super) fn of_code(code: &str, message: &str) -> Error {
    let (reason, own) = judge(code);
    let error = Error::new(reason, own.unwrap_or(message)).with_code(code);
    match (code, own) {
        ("AuthFailure.TokenFailure", _) => error.stale_token().stopping_account(),
        (_, Some(REFUSED)) => error.stopping_account(),
        (_, Some(CLOCK)) => error.with_retry(Retry::Resigned).stopping_account(),
        _ => error,
    }
}

/// The kind of failure, and our own words where the vendor's are not to be kept. The exact code comes first, then its
/// part before the first dot.
fn judge(code: &str) -> (Reason, Option<&'static str>) {
    match code {
        "AuthFailure.SignatureExpire" => return (Reason::Denied, Some(CLOCK)),
        "AuthFailure.UnauthorizedOperation" => return (Reason::Denied, Some(FORBIDDEN)),
        _ => {}
    }
    match code.split('.').next().unwrap_or_default() {
        "RequestLimitExceeded" => (Reason::Throttled, None),
        "AuthFailure" => (Reason::Denied, Some(REFUSED)),
        "UnauthorizedOperation" | "IpInBlacklist" | "IpNotInWhitelist" => (Reason::Denied, None),
        "ResourceNotFound" | "TaskNotFound" | "JobNotFound" => (Reason::NotFound, None),
        "InternalError"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ResourceUnavailable"
        | "ResourceInsufficient"
        | "FailedOperation" => (Reason::Transport, None),
        // Everything that is wrong with the request or the address; and what we have never heard of, which would not get
        // better within seconds.
        _ => (Reason::Rejected, None),
    }
}

/// An error of API 2.0 with a number. `description` and `message` are the vendor's.
pub(super) fn of_number(number: i64, description: &str, message: &str) -> Error {
    let words = format!("{description} {message}");
    let error = |reason, words: &str| Error::new(reason, words).with_code(&number.to_string());
    match number {
        4100 => error(Reason::Denied, REFUSED).stopping_account(),
        4200 => error(Reason::Denied, CLOCK).with_retry(Retry::Resigned).stopping_account(),
        4300 => error(Reason::Denied, FORBIDDEN),
        4400 => error(Reason::Throttled, &words),
        // Nonce and timestamp were used before, or the timestamp is off by hours.
        4500 => error(Reason::Denied, CLOCK).with_retry(Retry::Resigned),
        5000 => error(Reason::NotFound, &words),
        5100 | 6000 | 6200 => error(Reason::Transport, &words),
        _ => error(Reason::Rejected, &words),
    }
}

/// An error of an HTTP status that is no success: a gateway on the way, not the API itself.
pub(super) fn of_status(answer: &Answer) -> Error {
    let status = answer.status;
    let reason = match status {
        StatusCode::TOO_MANY_REQUESTS => Reason::Throttled,
        status if status.is_server_error() => Reason::Transport,
        _ => Reason::Rejected,
    };
    let hint = if reason == Reason::Rejected { "; is the endpoint right?" } else { "" };
    Error::new(reason, format!("HTTP status {} without an answer of the API{hint}", status.as_u16()))
        .with_retry_after(retry_after(answer))
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    answer.header("retry-after")?.trim().parse().map(Duration::from_secs).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_class() {
        for (code, reason, retry, stops) in [
            ("RequestLimitExceeded", Reason::Throttled, Retry::Later, false),
            ("RequestLimitExceeded.UinLimitExceeded", Reason::Throttled, Retry::Later, false),
            ("RequestLimitExceeded.GlobalRegionUinLimitExceeded", Reason::Throttled, Retry::Later, false),
            ("InternalError", Reason::Transport, Retry::Later, false),
            ("InternalError.CallCvm", Reason::Transport, Retry::Later, false),
            ("InternalServerError", Reason::Transport, Retry::Later, false),
            ("ResourceInsufficient", Reason::Transport, Retry::Later, false),
            ("AuthFailure.SignatureExpire", Reason::Denied, Retry::Resigned, true),
            ("AuthFailure.SecretIdNotFound", Reason::Denied, Retry::Never, true),
            ("AuthFailure.InvalidSecretId", Reason::Denied, Retry::Never, true),
            ("AuthFailure.SignatureFailure", Reason::Denied, Retry::Never, true),
            ("AuthFailure.InvalidAuthorization", Reason::Denied, Retry::Never, true),
            ("AuthFailure.MFAFailure", Reason::Denied, Retry::Never, true),
            ("AuthFailure.TokenFailure", Reason::Denied, Retry::Never, true),
            ("AuthFailure", Reason::Denied, Retry::Never, true),
            ("AuthFailure.UnauthorizedOperation", Reason::Denied, Retry::Never, false),
            ("UnauthorizedOperation", Reason::Denied, Retry::Never, false),
            ("UnauthorizedOperation.UserNotAllowedToUseBatch", Reason::Denied, Retry::Never, false),
            ("IpNotInWhitelist", Reason::Denied, Retry::Never, false),
            ("ResourceNotFound", Reason::NotFound, Retry::Never, false),
            ("ResourceNotFound.Task", Reason::NotFound, Retry::Never, false),
            ("TaskNotFound", Reason::NotFound, Retry::Never, false),
            ("InvalidParameter.JobIdMalformed", Reason::Rejected, Retry::Never, false),
            ("InvalidBatchJobId.Malformed", Reason::Rejected, Retry::Never, false),
            ("UnknownParameter", Reason::Rejected, Retry::Never, false),
            ("UnsupportedRegion", Reason::Rejected, Retry::Never, false),
            // A quota of writes, not a rate.
            ("LimitExceeded.JobQuota", Reason::Rejected, Retry::Never, false),
            (TOO_LARGE, Reason::Rejected, Retry::Never, false),
            ("SomethingNew.Tomorrow", Reason::Rejected, Retry::Never, false),
            ("", Reason::Rejected, Retry::Never, false),
        ] {
            let error = of_code(code, "words");
            assert_eq!((error.reason(), error.retry(), error.stops_account()), (reason, retry, stops), "{code}");
            assert_eq!(error.is_stale_token(), code == "AuthFailure.TokenFailure", "{code}");
            assert_eq!(error.code(), code);
        }
    }

    #[test]
    fn every_number_has_its_class() {
        for (number, reason, retry, stops) in [
            (4000, Reason::Rejected, Retry::Never, false),
            (4100, Reason::Denied, Retry::Never, true),
            (4200, Reason::Denied, Retry::Resigned, true),
            (4300, Reason::Denied, Retry::Never, false),
            (4400, Reason::Throttled, Retry::Later, false),
            (4500, Reason::Denied, Retry::Resigned, false),
            (4600, Reason::Rejected, Retry::Never, false),
            (5000, Reason::NotFound, Retry::Never, false),
            (5100, Reason::Transport, Retry::Later, false),
            (5300, Reason::Rejected, Retry::Never, false),
            (6000, Reason::Transport, Retry::Later, false),
            (6100, Reason::Rejected, Retry::Never, false),
            (6200, Reason::Transport, Retry::Later, false),
        ] {
            let error = of_number(number, "Description", "words");
            assert_eq!((error.reason(), error.retry(), error.stops_account()), (reason, retry, stops), "{number}");
            assert_eq!(error.code(), number.to_string());
        }
    }

    #[test]
    fn what_may_echo_a_signature_is_not_kept() {
        for code in ["AuthFailure.SignatureFailure", "AuthFailure.SignatureExpire", "AuthFailure.UnauthorizedOperation"]
        {
            assert!(!of_code(code, "expected signature 0a1b2c").to_string().contains("0a1b2c"), "{code}");
        }
        for number in [4100, 4200, 4300, 4500] {
            assert!(!of_number(number, "signature 0a1b2c", "").to_string().contains("0a1b2c"), "{number}");
        }
        let kept = of_code("ResourceNotFound.Task", "no such task").to_string();
        assert_eq!(kept, "ResourceNotFound.Task: no such task");
    }
}
