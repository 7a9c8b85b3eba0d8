//! A simulated Tencent Cloud: Batch by API 3.0 at `/` and by API 2.0 at `/v2/index.php`, STS at `/`, the metadata service of
//! a CVM below `/latest/meta-data`; as strict as the vendor.
//!
//! What it tells of is in `story`, who may ask in `auth`, temporary keys in `keys` and `sts`, how parameters are read in
//! `parameters`. It keeps nothing but quotas and nonces.

mod auth;
mod keys;
mod parameters;
mod story;
mod sts;
#[cfg(test)]
mod tests;

use super::http::{Answered, Asked, Simulator};
use super::strict::{Nonces, Throttle};
use super::world::World;
use crate::cloud::digest::sha256_hex;
use crate::cloud::tencent::legacy;
use http::Method;
use jiff::Timestamp;
use parameters::Parameters;
use serde_json::{Value, json};
use story::{Spelling, Story};

/// The SecretId it takes. No real one begins like this.
pub const SECRET_ID: &str = "AKIDdemodemodemodemodemodemodemodemo";
/// The SecretKey that belongs to it.
pub const SECRET_KEY: &str = "demo-key-of-a-simulated-cloud-only";
/// The only region it has.
pub const REGION: &str = "ap-guangzhou";
/// A job that is always there and begins again every few minutes.
pub const NIGHTLY_JOB: &str = "job-nightly0";
/// A job that fails and is retried, again and again.
pub const RETRIED_JOB: &str = "job-retried0";
/// A job that waits for ever.
pub const STUCK_JOB: &str = "job-stuck000";
/// A job that never ends.
pub const ENDLESS_JOB: &str = "job-endless0";

/// The one role there is: it may be assumed with the keys, by the pod with the token, and it is bound to the CVM.
pub const ROLE_ARN: &str = "qcs::cam::uin/100000000001:roleName/exporter";
/// The role's name.
pub const ROLE_NAME: &str = "exporter";
/// The identity provider whose token is taken.
pub const PROVIDER_ID: &str = "tke-demo";
/// The token of that provider.
pub const WEB_IDENTITY_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkZW1vIn0.demo-signature";

const VERSION: &str = "2017-03-12";
const ACTIONS: [&str; 3] = ["DescribeTask", "DescribeJob", "DescribeJobs"];

/// The simulated cloud.
#[derive(Debug)]
pub struct Tencent {
    world: World,
    per_second: u32,
    throttle: Throttle,
    nonces: Nonces,
}

/// What a verified request asks for.
#[derive(Debug)]
struct Action<'a> {
    name: &'a str,
    region: &'a str,
    parameters: Parameters,
    spelling: Spelling,
}

/// An error of the vendor's.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Tencent {
    /// Tells of `world`; takes `per_second` requests of each action.
    pub fn new(world: World, per_second: u32) -> Self {
        Self { world, per_second, throttle: Throttle::default(), nonces: Nonces::default() }
    }

    fn current(&self, asked: &Asked, now: Timestamp) -> Result<Value, Refusal> {
        let (name, version) = (asked.header("x-tc-action"), asked.header("x-tc-version"));
        let is_sts = version == sts::VERSION;
        match name {
            "AssumeRoleWithWebIdentity" if is_sts => auth::verify_unsigned(asked)?,
            _ => auth::verify(asked, if is_sts { "sts" } else { "batch" }, now)?,
        }
        for header in ["x-tc-action", "x-tc-version", "x-tc-region"] {
            if asked.header(header).is_empty() {
                return Err(Refusal::new("MissingParameter", format!("the header {header} is missing")));
            }
        }
        let parameters = Parameters::of_request(asked)?;
        match (name, version) {
            ("AssumeRole", sts::VERSION) => sts::assume_role(&parameters, now),
            ("AssumeRoleWithWebIdentity", sts::VERSION) => sts::assume_role_with_web_identity(&parameters, now),
            (_, sts::VERSION) => Err(no_action(name)),
            (_, VERSION) => {
                let region = asked.header("x-tc-region");
                self.act(&Action { name, region, parameters, spelling: Spelling::Current }, now)
            }
            _ => Err(Refusal::new("NoSuchVersion", format!("the version is {VERSION}, of STS {}", sts::VERSION))),
        }
    }

    fn legacy(&self, asked: &Asked, now: Timestamp) -> Result<Value, Refusal> {
        let form = parameters::form(asked);
        auth::verify_legacy(asked, &form, &self.nonces, now)?;
        let common = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if common("Version") != VERSION {
            return Err(Refusal::new("NoSuchVersion", format!("the version is {VERSION}")));
        }
        let action = Action {
            name: common("Action"),
            region: common("Region"),
            parameters: Parameters::of_form(&form),
            spelling: Spelling::Of2017,
        };
        self.act(&action, now)
    }

    fn act(&self, action: &Action<'_>, now: Timestamp) -> Result<Value, Refusal> {
        let Action { name, region, parameters, spelling } = action;
        if !ACTIONS.contains(name) {
            return Err(no_action(name));
        }
        if *region != REGION {
            return Err(Refusal::new("UnsupportedRegion", format!("there is no region {region:?}")));
        }
        if !self.throttle.admits(name, self.per_second, now) {
            let message = format!("more than {} requests of {name} in a second", self.per_second);
            return Err(Refusal::new("RequestLimitExceeded", message));
        }
        let story = Story { world: &self.world, now, spelling: *spelling };
        match *name {
            "DescribeTask" => story.describe_task(parameters),
            "DescribeJob" => story.describe_job(parameters),
            _ => story.describe_jobs(parameters),
        }
    }
}

impl Simulator for Tencent {
    fn answer(&self, asked: &Asked, now: Timestamp) -> Answered {
        let request_id = request_id(asked, now);
        let answered = match asked.path.as_str() {
            "/" => Answered::json(200, &wrap(self.current(asked, now), &request_id)),
            legacy::PATH => Answered::json(200, &wrap_legacy(self.legacy(asked, now), &request_id)),
            path => {
                let name = path.strip_prefix(sts::METADATA_PATH).filter(|_| asked.method == Method::GET);
                name.and_then(|name| sts::metadata(name, now)).unwrap_or_else(not_found)
            }
        };
        answered.dated(now)
    }
}

fn no_action(name: &str) -> Refusal {
    Refusal::new("InvalidAction", format!("there is no action {name:?}"))
}

fn not_found() -> Answered {
    let body = "<html><body>404 Not Found</body></html>".to_owned();
    Answered { status: 404, headers: Vec::new(), content_type: "text/html", body }
}

/// Success and failure alike are HTTP 200.
fn wrap(result: Result<Value, Refusal>, request_id: &str) -> Value {
    let mut response =
        result.unwrap_or_else(|refusal| json!({"Error": {"Code": refusal.code, "Message": refusal.message}}));
    if let Some(fields) = response.as_object_mut() {
        fields.insert("RequestId".to_owned(), request_id.into());
    }
    json!({ "Response": response })
}

/// In API 2.0 the gateway refuses with a number, and Batch itself with words of its own.
fn wrap_legacy(result: Result<Value, Refusal>, request_id: &str) -> Value {
    let Err(refusal) = result else {
        return wrap(result, request_id);
    };
    let number = match refusal.code {
        "4500" => 4500,
        "AuthFailure.SignatureExpire" => 4200,
        "RequestLimitExceeded" => 4400,
        "MissingParameter" | "UnknownParameter" | "InvalidAction" | "UnsupportedRegion" => 4000,
        "NoSuchVersion" => 6100,
        "UnsupportedProtocol" => 4600,
        code if code.starts_with("AuthFailure") => 4100,
        code if code.starts_with("InvalidParameterValue") => 4000,
        code => {
            let code = match code {
                "ResourceNotFound.Task" => "TaskNotFound",
                "ResourceNotFound.Job" => "JobNotFound",
                "InvalidParameter.JobIdMalformed" => "InvalidBatchJobId.Malformed",
                code => code,
            };
            return wrap(Err(Refusal { code, message: refusal.message }), request_id);
        }
    };
    json!({"code": number, "message": refusal.message, "codeDesc": refusal.code})
}

/// Something in the shape of a UUID.
fn request_id(asked: &Asked, now: Timestamp) -> String {
    let digest = sha256_hex(format!("{now}{:?}{:?}", asked.query, asked.body).as_bytes());
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
