//! Where an account's keys are and what can be wrong with that. Secrets are read here, once, and never shown.

use super::access::Keys;
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

/// The keys, read at once if there is an environment to read them in.
pub(super) fn check(
    credentials: Option<Credentials>,
    environment: Option<&Environment>,
    report: &mut Report,
) -> Option<Keys> {
    let Some(Credentials { secret_id, secret_key, token }) = credentials else {
        return environment.and_then(|environment| keys_of_the_vendors_tools(environment, report));
    };
    report.at("credentials", |report| {
        let secret_id = report.required("secret_id", secret_id, "{env: TENCENTCLOUD_SECRET_ID}");
        let secret_key = report.required("secret_key", secret_key, "{env: TENCENTCLOUD_SECRET_KEY}");
        let environment = environment?;
        let mut read = |key: &str, reference: Option<SecretRef>| {
            let secret = reference?.read_key(environment);
            secret.map_err(|mistake| report.mistake_at(key, mistake)).ok()
        };
        let (secret_id, secret_key) = (read("secret_id", secret_id), read("secret_key", secret_key));
        // A variable that is not set means that the keys are permanent.
        let token = token.map_or(Ok(None), |token| token.read_optional_key(environment));
        let token = token.map_err(|mistake| report.mistake_at("token", mistake)).ok()?;
        Some(Keys { secret_id: secret_id?, secret_key: secret_key?, token })
    })
}

fn keys_of_the_vendors_tools(environment: &Environment, report: &mut Report) -> Option<Keys> {
    const SECRET_ID: SecretRef = SecretRef::FirstEnv(&["TENCENTCLOUD_SECRET_ID"]);
    const SECRET_KEY: SecretRef = SecretRef::FirstEnv(&["TENCENTCLOUD_SECRET_KEY"]);
    // Node's SDK, the command line and Terraform each have a name of their own for it.
    const TOKEN: SecretRef =
        SecretRef::FirstEnv(&["TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"]);
    let mut note = |mistake: String| report.mistake(format!("{mistake}; set it, or add `credentials`"));
    let secret_id = SECRET_ID.read_key(environment).map_err(&mut note).ok();
    let secret_key = SECRET_KEY.read_key(environment).map_err(&mut note).ok();
    let token = TOKEN.read_optional_key(environment).map_err(&mut note).ok()?;
    Some(Keys { secret_id: secret_id?, secret_key: secret_key?, token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    /// The keys found and the number of mistakes.
    fn found(credentials: Option<serde_json::Value>, set: &[(&'static str, &'static str)]) -> (Option<Keys>, usize) {
        let set = set.to_vec();
        let environment = Environment::from_fn(move |name| {
            set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        });
        let credentials = credentials.map(|credentials| serde_json::from_value(credentials).unwrap());
        let mut report = Report::default();
        let keys = check(credentials, Some(&environment), &mut report);
        (keys, report.into_mistakes().len())
    }

    #[test]
    fn the_vendors_variables_are_read_where_the_config_says_nothing() {
        let keys = [("TENCENTCLOUD_SECRET_ID", "id"), ("TENCENTCLOUD_SECRET_KEY", "key\n")];
        let (permanent, mistakes) = found(None, &keys);
        let permanent = permanent.unwrap();
        assert_eq!((permanent.secret_key.expose_secret(), permanent.token.is_none(), mistakes), ("key", true, 0));
        for name in ["TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"] {
            let (temporary, _) = found(None, &[keys[0], keys[1], (name, "token")]);
            assert_eq!(temporary.unwrap().token.unwrap().expose_secret(), "token", "{name}");
        }
        assert_eq!(found(None, &[]).1, 2);
        assert_eq!(found(None, &[keys[0], keys[1], ("TENCENTCLOUD_TOKEN", "a b")]).1, 1);
    }

    #[test]
    fn a_token_is_optional_as_a_variable_only() {
        let keys = |token| serde_json::json!({"secret_id": {"env": "A"}, "secret_key": {"env": "B"}, "token": token});
        let set = [("A", "id"), ("B", "key"), ("C", "token")];
        let token = |reference| found(Some(keys(reference)), &set);
        assert!(token(serde_json::json!({"env": "C"})).0.unwrap().token.is_some());
        assert!(token(serde_json::json!({"env": "UNSET"})).0.unwrap().token.is_none());
        assert_eq!(token(serde_json::json!({"file": "/nowhere/token"})).1, 1);
    }
}
