//! A role to take on: what is said of it, what the environment adds, and which STS is asked for it.

use super::variables::{self, is_true, or_variable};
use crate::cloud::settings::{Endpoint, Environment, RegionName};
use std::time::Duration;

/// The vendor's default, and what most roles allow at the most.
const DEFAULT_DURATION: Duration = Duration::from_hours(1);
/// STS gives no shorter session.
pub(super) const SHORTEST: Duration = Duration::from_mins(15);
/// No role can be set to longer sessions.
pub(super) const LONGEST: Duration = Duration::from_hours(12);
/// What audit logs show where nobody chose a name.
const DEFAULT_SESSION_NAME: &str = "cloud-task-exporter";
const STS_ENDPOINT: &str = "sts.aliyuncs.com";

/// A role, ready to be asked for.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: String,
    pub(super) duration: Duration,
    /// Permissions the session is cut down to, as JSON.
    pub(super) policy: Option<String>,
    pub(super) external_id: Option<String>,
    /// The STS that is asked.
    pub(super) endpoint: Endpoint,
}

/// What is said of a role; the environment fills the gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleOptions {
    pub(super) arn: Option<String>,
    pub(super) session_name: Option<String>,
    pub(super) duration: Option<Duration>,
    pub(super) policy: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) sts: StsOptions,
}

/// What is said of the STS to ask.
#[derive(Clone, Debug, Default)]
pub(super) struct StsOptions {
    /// A host, or an address with its scheme.
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) vpc: Option<bool>,
}

impl RoleOptions {
    /// The role.
    ///
    /// # Errors
    /// What is missing or unfit, in a few words.
    pub(super) fn resolve(&self, environment: &Environment) -> Result<Role, String> {
        let arn = or_variable(self.arn.as_ref(), environment, variables::ROLE_ARN);
        let arn = arn.ok_or_else(|| format!("no role is named and {} is not set", variables::ROLE_ARN))?;
        let duration = self.duration.unwrap_or(DEFAULT_DURATION);
        if !(SHORTEST..=LONGEST).contains(&duration) {
            return Err(format!("{} s are no session; expected from 900 to 43200", duration.as_secs()));
        }
        let session_name = or_variable(self.session_name.as_ref(), environment, variables::ROLE_SESSION_NAME);
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Ok(Role {
            arn,
            session_name: session_name.unwrap_or_else(|| DEFAULT_SESSION_NAME.to_owned()),
            duration,
            policy: said(&self.policy),
            external_id: said(&self.external_id),
            endpoint: self.sts.endpoint(environment)?,
        })
    }
}

impl StsOptions {
    /// The address: the one that is said, else that of the region that is said, else by the variables, else the
    /// central one. `vpc` counts only where a region is known, as in the SDK.
    fn endpoint(&self, environment: &Environment) -> Result<Endpoint, String> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        if let Some(endpoint) = said(&self.endpoint) {
            return address(&endpoint);
        }
        if let Some(region) = said(&self.region) {
            return self.regional(region, environment);
        }
        if let Some(endpoint) = environment.get(variables::STS_ENDPOINT) {
            return address(&endpoint);
        }
        match environment.get(variables::STS_REGION) {
            Some(region) => self.regional(region, environment),
            None => Endpoint::https(STS_ENDPOINT),
        }
    }

    fn regional(&self, region: String, environment: &Environment) -> Result<Endpoint, String> {
        let RegionName(region) = RegionName::try_from(region)?;
        let vpc = self.vpc.unwrap_or_else(|| is_true(environment, variables::VPC_ENDPOINT_ENABLED));
        Endpoint::https(&format!("{}.{region}.aliyuncs.com", if vpc { "sts-vpc" } else { "sts" }))
    }
}

/// An address as the vendor's tools write it: mostly a host alone.
pub(super) fn address(text: &str) -> Result<Endpoint, String> {
    let text = text.trim();
    if text.contains("://") { Endpoint::try_from(text.to_owned()) } else { Endpoint::https(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &'static [(&str, &str)]) -> Environment {
        Environment::from_fn(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn host(endpoint: Option<&str>, region: Option<&str>, vpc: Option<bool>, environment: &Environment) -> String {
        let sts = StsOptions { endpoint: endpoint.map(str::to_owned), region: region.map(str::to_owned), vpc };
        sts.endpoint(environment).map_or_else(|error| error, |endpoint| endpoint.url(""))
    }

    #[test]
    fn the_sts_is_chosen_as_the_sdk_does() {
        let nothing = environment(&[]);
        assert_eq!(host(None, None, None, &nothing), "https://sts.aliyuncs.com");
        assert_eq!(host(None, None, Some(true), &nothing), "https://sts.aliyuncs.com");
        assert_eq!(host(None, Some("cn-beijing"), None, &nothing), "https://sts.cn-beijing.aliyuncs.com");
        assert_eq!(host(None, Some("cn-beijing"), Some(true), &nothing), "https://sts-vpc.cn-beijing.aliyuncs.com");
        assert_eq!(host(Some("sts.example"), Some("cn-beijing"), None, &nothing), "https://sts.example");
        assert_eq!(host(Some("http://127.0.0.1:1"), None, None, &nothing), "http://127.0.0.1:1");
        assert!(host(Some("http://sts.example"), None, None, &nothing).contains("is not encrypted"));
        assert!(host(None, Some("a/b"), None, &nothing).contains("is no region name"));
        let vpc = environment(&[(variables::STS_REGION, "cn-hangzhou"), (variables::VPC_ENDPOINT_ENABLED, "TRUE")]);
        assert_eq!(host(None, None, None, &vpc), "https://sts-vpc.cn-hangzhou.aliyuncs.com");
        assert_eq!(host(None, None, Some(false), &vpc), "https://sts.cn-hangzhou.aliyuncs.com");
        assert_eq!(host(None, Some("cn-beijing"), None, &vpc), "https://sts-vpc.cn-beijing.aliyuncs.com");
        let tool = environment(&[(variables::STS_REGION, "cn-hangzhou"), (variables::STS_ENDPOINT, "sts.example")]);
        assert_eq!(host(None, None, None, &tool), "https://sts.example");
    }

    #[test]
    fn the_environment_fills_the_gaps() {
        let variables =
            environment(&[(variables::ROLE_ARN, "acs:ram::1:role/a"), (variables::ROLE_SESSION_NAME, "theirs")]);
        let role = RoleOptions::default().resolve(&variables).unwrap();
        assert_eq!((&*role.arn, &*role.session_name, role.duration.as_secs()), ("acs:ram::1:role/a", "theirs", 3600));
        let options = RoleOptions { arn: Some("acs:ram::1:role/b".to_owned()), ..RoleOptions::default() };
        let role = options.resolve(&environment(&[])).unwrap();
        assert_eq!((&*role.arn, &*role.session_name), ("acs:ram::1:role/b", "cloud-task-exporter"));
        assert!(RoleOptions::default().resolve(&environment(&[])).unwrap_err().contains(variables::ROLE_ARN));
        let short = RoleOptions { duration: Some(Duration::from_secs(899)), ..options };
        assert!(short.resolve(&environment(&[])).unwrap_err().contains("from 900"));
    }
}
