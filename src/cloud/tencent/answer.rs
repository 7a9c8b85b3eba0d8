//! From an HTTP answer to a reply or a classified error. Both dialects' shapes are taken, whichever was asked in.

use super::error;
use super::wire::{Envelope, Outcome};
use crate::cloud::{Answer, Error, json};
use crate::model::Reason;
use serde::de::DeserializeOwned;

/// What a good answer says. Good or bad is told by the body, never by the status alone.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    let envelope = json::read::<Envelope<'_>>(&answer.body, "");
    if let Some(error) = envelope.as_ref().ok().and_then(Envelope::failure) {
        return Err(error);
    }
    if !answer.status.is_success() {
        return Err(error::of_status(answer));
    }
    let envelope = envelope?;
    let (content, place) = envelope.content(&answer.body)?;
    json::read(content, place)
}

impl Envelope<'_> {
    /// The vendor's error, if the answer is one.
    fn failure(&self) -> Option<Error> {
        if let Some(response) = self.response {
            let outcome = serde_json::from_str::<Outcome>(response.get()).ok()?;
            let error = outcome.error?;
            return Some(error::of_code(&error.code, error.message.as_deref().unwrap_or_default()));
        }
        let number = self.code.filter(|number| *number != 0)?;
        let description = self.code_description.as_deref().unwrap_or_default();
        Some(error::of_number(number, description, self.message.as_deref().unwrap_or_default()))
    }

    /// Where the fields of the reply are, and what that place is called.
    fn content<'b>(&'b self, body: &'b [u8]) -> Result<(&'b [u8], &'static str), Error> {
        match (self.response, self.code, self.data) {
            (Some(response), _, _) => Ok((response.get().as_bytes(), "Response")),
            (None, Some(_), Some(data)) => Ok((data.get().as_bytes(), "data")),
            (None, Some(_), None) => Ok((body, "")),
            (None, None, _) => Err(Error::new(Reason::Decode, "the answer has neither a `Response` nor a `code`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::tencent::wire::{DescribedJob, DescribedTask};
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn failure(status: u16, body: &str) -> Error {
        read::<DescribedTask>(&answer(status, body)).unwrap_err()
    }

    #[test]
    fn every_shape_of_a_good_answer_is_taken() {
        for body in [
            r#"{"Response": {"TaskSet": [{"TaskName": "A"}], "RequestId": "r", "DeprecatedWarning": "soon"}}"#,
            r#"{"code": 0, "message": "", "codeDesc": "Success", "data": {"TaskSet": [{"TaskName": "A"}]}}"#,
            r#"{"code": "0", "message": "", "codeDesc": "Success", "TaskSet": [{"TaskName": "A"}]}"#,
        ] {
            let job: DescribedJob = read(&answer(200, body)).unwrap();
            assert_eq!(&*job.task_set[0].task_name, "A", "{body}");
        }
    }

    #[test]
    fn an_error_is_told_by_the_body_whatever_the_status() {
        let body = r#"{"Response": {"Error": {"Code": "ResourceNotFound.Task", "Message": "gone"}, "RequestId": "r"}}"#;
        for status in [200, 404, 500] {
            assert_eq!(failure(status, body).to_string(), "ResourceNotFound.Task: gone");
        }
        let old = failure(200, r#"{"code": 4400, "message": "too many", "codeDesc": "QuotaExceeded"}"#);
        assert_eq!((old.reason(), old.code()), (Reason::Throttled, "4400"));
    }

    #[test]
    fn a_status_speaks_where_the_body_does_not() {
        let html = "<html><body>502 Bad Gateway</body></html>";
        assert_eq!(failure(502, html).reason(), Reason::Transport);
        assert_eq!(failure(404, html).reason(), Reason::Rejected);
        assert_eq!(failure(302, "").reason(), Reason::Rejected);
        assert_eq!(failure(200, html).reason(), Reason::Decode);
        let mut busy = answer(429, html);
        busy.headers.insert("retry-after", "7".parse().unwrap());
        let busy = read::<DescribedTask>(&busy).unwrap_err();
        assert_eq!(busy.reason(), Reason::Throttled);
        assert_eq!(busy.retry_after(), Some(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn an_unreadable_answer_says_where() {
        for (body, expected) in [
            ("", "it is empty"),
            (r#"{"Response": {"TaskState": "RUN"#, "it is cut off"),
            ("<html></html>", "it is markup"),
            (r#"{"Response": {}} trailing"#, "it is not JSON"),
            (r#"{"Response": []}"#, "at `Response`"),
            (r#"{"Response": "nothing"}"#, "at `Response`"),
            (
                r#"{"Response": {"RequestId": "r"}}"#,
                "the field `TaskState` is missing at `Response` (line 1, column 18)",
            ),
            ("{}", "the answer has neither"),
            (r#"{"code": 0}"#, "the field `TaskState` is missing"),
            ("[]", "the answer has neither"),
            (r#"{"Response": "RUNNING", "code": []}"#, "at `code`"),
            (
                r#"{"Response": {"TaskState": "RUNNING", "TaskInstanceTotalCount": 1, "TaskInstanceSet":
                    [{"TaskInstanceIndex": 0, "TaskInstanceState": "RUNNING", "ExitCode": {}}]}}"#,
                "at `Response.TaskInstanceSet[0].ExitCode`",
            ),
        ] {
            let error = failure(200, body);
            assert_eq!(error.reason(), Reason::Decode, "{body}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
