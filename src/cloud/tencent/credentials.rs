//! Where an account's keys are and what can be wrong with that. Secrets are read here, once, and never shown.

use crate::cloud::credentials::{Chain, Keyring, Named, Variables};
use crate::cloud::settings::{Environment, Report, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of an account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TencentCredentials")]
pub(super) struct Credentials {
    /// SecretId.
    secret_id: Option<SecretRef>,
    /// SecretKey.
    secret_key: Option<SecretRef>,
    /// Token of temporary keys.
    token: Option<SecretRef>,
}

/// Where the keys come from; none where there is no environment to look in. What is named one by one is read at once, to
/// find what is missing.
pub(super) fn check(
    credentials: Option<Credentials>,
    environment: Option<&Environment>,
    report: &mut Report,
) -> Option<Keyring> {
    let Some(Credentials { secret_id, secret_key, token }) = credentials else {
        return environment.map(|environment| Keyring::new(Box::new(default_chain(environment))));
    };
    report.at("credentials", |report| {
        let id = report.required("secret_id", secret_id, "{env: TENCENTCLOUD_SECRET_ID}");
        let secret = report.required("secret_key", secret_key, "{env: TENCENTCLOUD_SECRET_KEY}");
        let named = Named { id: id?, secret: secret?, token, environment: environment?.clone() };
        named.check(["secret_id", "secret_key", "token"], report).map(|named| Keyring::new(Box::new(named)))
    })
}

/// The sources of the vendor's SDKs, in their order.
fn default_chain(environment: &Environment) -> Chain {
    let variables = Variables {
        id: "TENCENTCLOUD_SECRET_ID",
        secret: "TENCENTCLOUD_SECRET_KEY",
        // Node's SDK, the command line and Terraform each have a name of their own for it.
        token: &["TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"],
        environment: environment.clone(),
    };
    Chain::new(vec![Box::new(variables)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there are credentials, and the number of mistakes.
    fn found(credentials: Option<serde_json::Value>, set: &[(&'static str, &'static str)]) -> (bool, usize) {
        let set = set.to_vec();
        let environment = Environment::from_fn(move |name| {
            set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        });
        let credentials = credentials.map(|credentials| serde_json::from_value(credentials).unwrap());
        let mut report = Report::default();
        let keyring = check(credentials, Some(&environment), &mut report);
        (keyring.is_some(), report.into_mistakes().len())
    }

    #[test]
    fn a_token_is_optional_as_a_variable_only() {
        let keys = |token| serde_json::json!({"secret_id": {"env": "A"}, "secret_key": {"env": "B"}, "token": token});
        let set = [("A", "id"), ("B", "key"), ("C", "token")];
        let token = |reference| found(Some(keys(reference)), &set);
        assert_eq!(token(serde_json::json!({"env": "C"})), (true, 0));
        assert_eq!(token(serde_json::json!({"env": "UNSET"})), (true, 0));
        assert_eq!(token(serde_json::json!({"file": "/nowhere/token"})), (false, 1));
    }
}
