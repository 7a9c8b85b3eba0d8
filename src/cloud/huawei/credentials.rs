//! The `credentials` of an account: one of three sets of fields, and the secrets they refer to.

use super::access::Credentials;
use super::api::User;
use crate::cloud::credentials::{Chain, Keyring, Named, Variables};
use crate::cloud::settings::{Environment, Report, SecretRef, TextOrRef};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;

const SETS: &str =
    "expected one of {access_key, secret_key, security_token}, {user_name, password, domain} and {token}";

/// Who asks: an access key, a user name and a password, or a token.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CredentialsSection {
    /// The access key (AK).
    access_key: Option<SecretRef>,
    /// The secret key (SK).
    secret_key: Option<SecretRef>,
    /// What comes with a temporary access key.
    security_token: Option<SecretRef>,
    /// Name of an IAM user, for which a token is made and renewed.
    user_name: Option<TextOrRef>,
    /// The user's password.
    password: Option<SecretRef>,
    /// Name of the account (domain) the user belongs to.
    domain: Option<TextOrRef>,
    /// An IAM token for the project, used as it is and never renewed.
    token: Option<SecretRef>,
}

impl CredentialsSection {
    /// Checks the credentials, and reads their secrets from an environment if there is one. The report is at the
    /// account.
    pub(super) fn check(
        section: Option<Self>,
        environment: Option<&Environment>,
        report: &mut Report,
    ) -> Option<Credentials> {
        match section {
            Some(section) => {
                let references = report.at("credentials", |report| section.references(report))?;
                report.at("credentials", |report| references.read(environment?, report))
            }
            None => Some(Credentials::Key(Keyring::new(Box::new(default_chain(environment?))))),
        }
    }

    /// The one set that is there.
    fn references(self, report: &mut Report) -> Option<References> {
        let Self { access_key, secret_key, security_token, user_name, password, domain, token } = self;
        let has_key = access_key.is_some() || secret_key.is_some() || security_token.is_some();
        let has_user = user_name.is_some() || password.is_some() || domain.is_some();
        match (has_key, has_user, token) {
            (true, false, None) => {
                let access_key = report.required("access_key", access_key, "{env: HUAWEICLOUD_SDK_AK}");
                let secret_key = report.required("secret_key", secret_key, "{env: HUAWEICLOUD_SDK_SK}");
                Some(References::Key { access_key: access_key?, secret_key: secret_key?, security_token })
            }
            (false, true, None) => {
                let user_name = report.required("user_name", user_name, "exporter");
                let password = report.required("password", password, "{file: /run/secrets/huawei_password}");
                let domain = report.required("domain", domain, "my-company");
                Some(References::User { user_name: user_name?, password: password?, domain: domain? })
            }
            (false, false, Some(token)) => Some(References::Token(token)),
            (false, false, None) => {
                report.mistake(format!("no credentials are named; {SETS}"));
                None
            }
            _ => {
                report.mistake(format!("more than one set of credentials; {SETS}"));
                None
            }
        }
    }
}

/// Where the secrets of one set are.
enum References {
    Key { access_key: SecretRef, secret_key: SecretRef, security_token: Option<SecretRef> },
    User { user_name: TextOrRef, password: SecretRef, domain: TextOrRef },
    Token(SecretRef),
}

impl References {
    /// Reads the secrets; the report is at the credentials.
    fn read(self, environment: &Environment, report: &mut Report) -> Option<Credentials> {
        match self {
            Self::Key { access_key, secret_key, security_token } => {
                let environment = environment.clone();
                let named = Named { id: access_key, secret: secret_key, token: security_token, environment };
                let named = named.check(["access_key", "secret_key", "security_token"], report)?;
                Some(Credentials::Key(Keyring::new(Box::new(named))))
            }
            Self::User { user_name, password, domain } => {
                let name = found("user_name", text(&user_name, environment), report);
                let password = found("password", password.read(environment), report);
                let domain = found("domain", text(&domain, environment), report);
                Some(Credentials::User(User { name: name?, password: password?, domain: domain? }))
            }
            Self::Token(token) => found("token", token.read_key(environment), report).map(Credentials::Token),
        }
    }
}

/// The sources of the vendor's SDKs, in their order.
fn default_chain(environment: &Environment) -> Chain {
    let variables = Variables {
        id: "HUAWEICLOUD_SDK_AK",
        secret: "HUAWEICLOUD_SDK_SK",
        token: &["HUAWEICLOUD_SDK_SECURITY_TOKEN"],
        environment: environment.clone(),
    };
    Chain::new(vec![Box::new(variables)])
}

/// A value that was read; what kept it from being read is a mistake at its key.
fn found<T>(key: &str, read: Result<T, String>, report: &mut Report) -> Option<T> {
    read.map_err(|message| report.mistake_at(key, message)).ok()
}

fn text(value: &TextOrRef, environment: &Environment) -> Result<String, String> {
    match value {
        TextOrRef::Text(text) => Ok(text.clone()),
        TextOrRef::Ref(reference) => reference.read(environment).map(|text| text.expose_secret().to_owned()),
    }
}
