//! A simulated Huawei Cloud: CCE, IAM and STS behind one gateway, as strict about signatures, tokens and paths as
//! the vendor's; and beside them the metadata service of a machine and the agent of a pod, which hand out keys for all that.
//!
//! It shares the signature's canonical form with the exporter and nothing else; what it says of jobs comes
//! from the world.

mod gateway;
mod iam;
mod jobs;
mod nearby;
mod sts;
mod temporary;

#[cfg(test)]
mod tests;

use super::strict::Throttle;
use super::world::World;
use super::{Answered, Asked, Simulator};
use crate::cloud::digest::sha256_hex;
use gateway::Keys;
use jiff::Timestamp;
use serde_json::json;

/// The access key it knows.
pub const ACCESS_KEY: &str = "HUAWEIDEMOACCESSKEY1";
/// The secret of the access key.
pub const SECRET_KEY: &str = "demo0secret0key0of0the0simulated0huawei0";
/// The IAM user it knows.
pub const USER_NAME: &str = "exporter";
/// The user's password.
pub const PASSWORD: &str = "demo password of the simulated huawei";
/// The account the user belongs to.
pub const DOMAIN: &str = "demo-company";
/// Its one region.
pub const REGION: &str = "cn-north-4";
/// The project of the region.
pub const PROJECT_ID: &str = "0123456789abcdef0123456789abcdef";
/// The identity provider it trusts, for IAM.
pub const IDP_ID: &str = "demo-idp";
/// The identity provider it trusts, for STS.
pub const PROVIDER_URN: &str = "iam::d78cbac186b744899480f25bd022f468:oidcProvider:demo-idp";
/// A token of the identity provider.
pub const ID_TOKEN: &str = "demo.identity.token";
/// The agency that may be assumed.
pub const AGENCY_URN: &str = "iam::d78cbac186b744899480f25bd022f468:agency:demo-exporter";
/// The token of a pod.
pub const POD_TOKEN: &str = "demo.pod.token";
/// The jobs it knows, which begin again and again.
pub const JOB_IDS: [&str; 8] = [
    "354331b2c-229a-11e8-9c75-0255ac100ceb",
    "73ce03fd-8b1b-11ee-8f9d-0255ac10193f",
    "1f7f6c2e-87e4-11f0-b7d4-0255ac100053",
    "a0c5d3be-3c14-11f1-8d6b-0255ac100b21",
    "d2d6b8a4-5f0e-11f1-9b7c-0255ac1000a7",
    "e91c47f0-7a52-11f1-a4e3-0255ac10156c",
    "f4407c96-8e3d-11f1-b0c8-0255ac1001d9",
    "0be8a152-9f71-11f1-96fa-0255ac100e34",
];

/// The simulated cloud.
#[derive(Debug)]
pub struct Huawei {
    world: World,
    per_second: u32,
    throttle: Throttle,
    keys: Keys,
}

impl Huawei {
    /// A cloud that tells of that world and takes so many requests per second for each API.
    pub fn new(world: World, per_second: u32) -> Self {
        Self { world, per_second, throttle: Throttle::default(), keys: Keys::default() }
    }

    fn route(&self, request: &Asked, now: Timestamp) -> Result<Answered, Answered> {
        let path: Vec<&str> = request.path.split('/').collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["", "api" | "autopilot", "v3", "projects", project, "jobs", job]) if !job.is_empty() => {
                self.show_job(request, (project, job), now)
            }
            ("GET", ["", "v3", "projects"]) => {
                self.admit(request, "projects", now)?;
                iam::list_projects(&request.parameters())
            }
            ("POST", ["", "v3", "auth", "tokens"]) => {
                self.take_turn("tokens", now)?;
                iam::create_token(&request.parameters(), &request.body, now)
            }
            ("POST", ["", "v3.0", "OS-AUTH", "id-token", "tokens"]) => {
                self.take_turn("id-tokens", now)?;
                iam::create_token_with_id_token(request.header("x-idp-id"), &request.body, now)
            }
            ("POST", ["", "v3.0", "OS-CREDENTIAL", "securitytokens"]) => {
                self.take_turn("securitytokens", now)?;
                iam::create_keys_by_token(&request.body, now)
            }
            ("POST", ["", "v5", "agencies", "assume-with-oidc"]) => {
                self.take_turn("assume-with-oidc", now)?;
                sts::assume_agency_with_oidc(&request.body, now)
            }
            ("POST", ["", "v5", "agencies", "assume"]) => {
                self.keys.check_signature(request, now)?;
                self.take_turn("assume", now)?;
                sts::assume_agency(&request.body, now)
            }
            ("PUT", ["", "meta-data", "latest", "api", "token"]) => nearby::metadata_token(request, now),
            ("GET", ["", "openstack", "latest", "securitykey"]) => nearby::metadata_keys(request, now),
            ("POST", ["", "v1", "credentials"]) => nearby::pod_keys(request, now),
            _ => Err(gateway::error(
                404,
                "APIGW.0101",
                "The API does not exist or has not been published in the environment",
            )),
        }
    }

    fn show_job(&self, request: &Asked, (project, job): (&str, &str), now: Timestamp) -> Result<Answered, Answered> {
        self.admit(request, "jobs", now)?;
        if let Some((name, _)) = request.parameters().first() {
            return Err(cce_error(400, "CCE.01400001", "CCE_CM.0004", &format!("unknown parameter {name}")));
        }
        let named = Some(request.header("x-project-id")).filter(|project| !project.is_empty());
        if project != PROJECT_ID || named.is_some_and(|named| named != project) {
            return Err(cce_error(403, "CCE.01403001", "CCE_CM.0403", "the project is not the caller's"));
        }
        let known = JOB_IDS.iter().position(|known| *known == job);
        let position = known.ok_or_else(|| cce_error(404, "CCE.01404001", "CCE_CM.0410", "no such job"))?;
        Ok(Answered::json(200, &jobs::document(&self.world, job, position % 2 == 0, now)))
    }

    /// Whether the caller may ask, and may ask now.
    fn admit(&self, request: &Asked, api: &str, now: Timestamp) -> Result<(), Answered> {
        match request.header("x-auth-token") {
            "" => self.keys.check_signature(request, now)?,
            token => iam::check_token(token, now)?,
        }
        self.take_turn(api, now)
    }

    fn take_turn(&self, api: &str, now: Timestamp) -> Result<(), Answered> {
        if self.throttle.admits(api, self.per_second, now) {
            return Ok(());
        }
        let limit = self.per_second;
        let text = format!(
            "The throttling threshold has been reached: policy user over ratelimit,limit:{limit},time:1 second"
        );
        let refusal = gateway::error(429, "APIGW.0308", &text);
        // The vendor says how long to wait now and then, and with a fraction.
        let left = f64::from(1_000_000_000 - now.subsec_nanosecond()) / 1e9;
        Err(if now.as_second() % 2 == 0 { refusal.with_header("retry-after", format!("{left:.3}")) } else { refusal })
    }
}

impl Simulator for Huawei {
    fn answer(&self, request: &Asked, now: Timestamp) -> Answered {
        let answered = self.route(request, now).unwrap_or_else(|refusal| refusal);
        let id = sha256_hex(format!("{now}{}", request.path).as_bytes()).chars().take(32).collect::<String>();
        answered.dated(now).with_header("x-request-id", id)
    }
}

/// An error as CCE really sends it, with both of its codes.
fn cce_error(status: u16, code: &str, internal_code: &str, message: &str) -> Answered {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status,
        "errorCode": code, "errorMessage": "Request failed.",
        "error_code": internal_code, "error_msg": "Request failed",
        "message": message, "reason": "Failure",
    });
    Answered::json(status, &body)
}
