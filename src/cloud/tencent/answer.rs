//! From an HTTP answer to a reply or a classified error. Both dialects' shapes are taken, whichever was asked in.

use super::error;
use super::wire::{Envelope, Outcome};
use crate::cloud::{Answer, Error};
use crate::model::Reason;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// What a good answer says. Good or bad is told by the body, never by the status alone.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    let envelope = parse::<Envelope<'_>>(&answer.body, "");
    if let Some(error) = envelope.as_ref().ok().and_then(Envelope::failure) {
        return Err(error);
    }
    if !answer.status.is_success() {
        return Err(error::of_status(answer));
    }
    let envelope = envelope?;
    let (content, place) = envelope.content(&answer.body)?;
    parse(content, place)
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

/// `place`: what `text` is called, for the error.
fn parse<'a, T: Deserialize<'a>>(text: &'a [u8], place: &str) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed: Result<T, _> = serde_path_to_error::deserialize(&mut deserializer);
    let value = parsed.map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { path.as_str() };
        let dot = if place.is_empty() || path.is_empty() { "" } else { "." };
        unreadable(error.inner(), &format!("{place}{dot}{path}"))
    })?;
    deserializer.end().map_err(|error| unreadable(&error, place))?;
    Ok(value)
}

fn unreadable(error: &serde_json::Error, path: &str) -> Error {
    let message = match error.classify() {
        Category::Eof => "the answer is cut off".to_owned(),
        Category::Syntax | Category::Io => {
            "the answer is no JSON; does something else answer in the API's place?".to_owned()
        }
        Category::Data if path.is_empty() => format!("the answer cannot be read: {error}"),
        Category::Data => format!("the answer cannot be read at {path}: {error}"),
    };
    Error::new(Reason::Decode, message)
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
            ("", "the answer is cut off"),
            (r#"{"Response": {"TaskState": "RUN"#, "the answer is cut off"),
            ("<html></html>", "the answer is no JSON"),
            (r#"{"Response": {}} trailing"#, "the answer is no JSON"),
            (r#"{"Response": []}"#, "the answer cannot be read at Response"),
            (r#"{"Response": "nothing"}"#, "the answer cannot be read at Response: invalid type"),
            (r#"{"Response": {"RequestId": "r"}}"#, "the answer cannot be read at Response: missing field `TaskState`"),
            ("{}", "the answer has neither"),
            (r#"{"code": 0}"#, "the answer cannot be read: missing field `TaskState`"),
            ("[]", "the answer has neither"),
            (r#"{"Response": "RUNNING", "code": []}"#, "the answer cannot be read at code"),
            (
                r#"{"Response": {"TaskState": "RUNNING", "TaskInstanceTotalCount": 1, "TaskInstanceSet":
                    [{"TaskInstanceIndex": 0, "TaskInstanceState": "RUNNING", "ExitCode": {}}]}}"#,
                "the answer cannot be read at Response.TaskInstanceSet[0].ExitCode",
            ),
        ] {
            let error = failure(200, body);
            assert_eq!(error.reason(), Reason::Decode, "{body}");
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }
}
