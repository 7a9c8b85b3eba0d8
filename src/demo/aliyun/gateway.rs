//! The gateway before the simulated service: address, signature, clock, nonce and quota, as strict as the vendor's.

use super::keys;
use crate::cloud::aliyun::sign::{
    ALGORITHM, canonical_fields, canonical_query, canonical_request, signature, string_to_sign,
};
use crate::cloud::digest;
use crate::demo::http::{Answered, Asked};
use crate::demo::strict::{Nonces, Throttle};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// How far the clocks of both sides may be apart, and how long a nonce is remembered.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// The gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    per_second: u32,
    throttle: Throttle,
    nonces: Nonces,
}

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    /// The gateway and the service behind it have bodies of different shapes.
    is_of_gateway: bool,
    retry_after_millis: Option<i64>,
}

/// What `Authorization` says.
#[derive(Debug)]
struct Claim<'a> {
    access_key_id: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl Gateway {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, throttle: Throttle::default(), nonces: Nonces::default() }
    }

    /// Lets a request for the action, of that version of an API, through, or not.
    pub(super) fn admit(&self, request: &Asked, api: (&str, &str), now: Timestamp) -> Result<(), Refusal> {
        check_address(request, api)?;
        let claim = Claim::of(request.header("authorization")).ok_or_else(|| {
            Refusal::of_gateway(400, "IncompleteSignature", "The signature does not conform to standards.")
        })?;
        let secret = keys::secret_of(claim.access_key_id, request.header("x-acs-security-token"), now)?;
        check_signature(request, &claim, secret)?;
        self.check_stamp(request.header("x-acs-date"), request.header("x-acs-signature-nonce"), now)?;
        self.check_quota(api.0, now)
    }

    /// Whether the signature is of now, and new.
    pub(super) fn check_stamp(&self, date: &str, nonce: &str, now: Timestamp) -> Result<(), Refusal> {
        check_date(date, now)?;
        self.check_nonce(nonce, now)
    }

    fn check_nonce(&self, nonce: &str, now: Timestamp) -> Result<(), Refusal> {
        if nonce.is_empty() {
            return Err(Refusal::of_gateway(
                400,
                "MissingSignatureNonce",
                "SignatureNonce is mandatory for this action.",
            ));
        }
        if self.nonces.is_new(nonce, WINDOW, now) {
            Ok(())
        } else {
            Err(Refusal::of_gateway(400, "SignatureNonceUsed", "Specified signature nonce was used already."))
        }
    }

    fn check_quota(&self, action: &str, now: Timestamp) -> Result<(), Refusal> {
        if self.throttle.admits(action, self.per_second, now) {
            return Ok(());
        }
        let message = "Request was denied due to user flow control.";
        let mut refusal = Refusal::of_gateway(400, "Throttling.User", message);
        refusal.retry_after_millis = Some(1000 - i64::from(now.subsec_millisecond()));
        Err(refusal)
    }
}

fn check_address(request: &Asked, (action, version): (&str, &str)) -> Result<(), Refusal> {
    if request.header("x-acs-version") != version {
        return Err(Refusal::of_gateway(400, "InvalidVersion", "Specified parameter Version is not valid."));
    }
    if request.header("x-acs-action") != action {
        return Err(Refusal::of_gateway(404, "InvalidAction.NotFound", "Specified api is not found."));
    }
    Ok(())
}

fn check_date(date: &str, now: Timestamp) -> Result<(), Refusal> {
    let is_plain = date.len() == "2026-01-02T03:04:05Z".len() && date.ends_with('Z');
    let Some(date) = date.parse::<Timestamp>().ok().filter(|_| is_plain) else {
        let message = "Specified time stamp or date value is not well formatted.";
        return Err(Refusal::of_gateway(400, "InvalidTimeStamp.Format", message));
    };
    if now.duration_since(date).abs() > WINDOW {
        let message = "Specified time stamp or date value is expired.";
        return Err(Refusal::of_gateway(400, "InvalidTimeStamp.Expired", message));
    }
    Ok(())
}

/// Rebuilds what the client says it signed from what has arrived.
fn check_signature(request: &Asked, claim: &Claim<'_>, secret: String) -> Result<(), Refusal> {
    let must_be_signed = |name: &str| name.starts_with("x-acs-") || name == "host" || name == "content-type";
    let mut present = request.headers.keys().map(http::HeaderName::as_str);
    let is_covered = present.all(|name| !must_be_signed(name) || claim.signed_headers.contains(&name));
    let payload = digest::sha256_hex(&request.body);
    let fields = claim.signed_headers.iter().flat_map(|name| {
        let values = request.headers.get_all(*name).iter();
        values.map(move |value| (*name, value.to_str().unwrap_or_default()))
    });
    let canonical = canonical_request(
        request.method.as_str(),
        &request.path,
        &canonical_query(&request.parameters()),
        &canonical_fields(fields),
        &payload,
    );
    let expected = signature(&secret.into(), &string_to_sign(&canonical));
    let is_payload = request.header("x-acs-content-sha256") == payload;
    if is_covered && is_payload && digest::same(&expected, claim.signature) {
        return Ok(());
    }
    // The vendor repeats what it would have signed, whatever is in it.
    let message =
        format!("Specified signature is not matched with our calculation. server string to sign is:{canonical}");
    Err(Refusal::of_gateway(400, "SignatureDoesNotMatch", message))
}

impl<'a> Claim<'a> {
    fn of(authorization: &'a str) -> Option<Self> {
        let parts = authorization.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let mut parts = parts.split(',');
        let claim = Self {
            access_key_id: parts.next()?.strip_prefix("Credential=")?,
            signed_headers: parts.next()?.strip_prefix("SignedHeaders=")?.split(';').collect(),
            signature: parts.next()?.strip_prefix("Signature=")?,
        };
        parts.next().is_none().then_some(claim)
    }
}

impl Refusal {
    pub(super) fn of_gateway(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), is_of_gateway: true, retry_after_millis: None }
    }

    pub(super) fn of_service(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), is_of_gateway: false, retry_after_millis: None }
    }

    pub(super) fn answer(&self, request: &Asked) -> Answered {
        let Self { status, code, message, .. } = self;
        let mut request_id = digest::sha256_hex(request.header("x-acs-signature-nonce").as_bytes()).to_uppercase();
        request_id.truncate(32);
        let body = if self.is_of_gateway {
            json!({
                "RequestId": request_id, "HostId": request.header("host"), "Code": code, "Message": message,
                "Recommend": format!("https://api.aliyun.com/troubleshoot?q={code}&product=CS"),
            })
        } else {
            json!({"code": code, "message": message, "requestId": request_id, "status": status})
        };
        let answered = Answered::json(*status, &body);
        match self.retry_after_millis {
            Some(millis) => answered.with_header("x-acs-retry-after", millis.to_string()),
            None => answered,
        }
    }
}
