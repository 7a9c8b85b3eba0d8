//! Keys in the files of `tccli`, the vendor's command line (read in version 3.1.189): static ones, those of a login, the
//! role of the CVM, a role to assume.
//!
//! Keys of a login are used while they last. The command line itself renews them, through a service of its own.

use super::super::wire::integer;
use super::Surroundings;
use super::instance_role::InstanceRole;
use super::sts::{AssumeRole, Role};
use super::values::{KeyLife, PlainName, RoleArn, SessionName};
use crate::clock;
use crate::cloud::credentials::{Found, Given, Keys, Source, home, read_file};
use crate::cloud::{Client, Error};
use crate::model::Reason;
use futures_util::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A profile of the command line.
#[derive(Clone, Debug)]
pub(super) struct Tccli {
    /// None for what `TCCLI_PROFILE` says, else `default`. With one named, the command line heeds no variable.
    pub(super) profile: Option<PlainName>,
    /// None for `~/.tccli`.
    pub(super) folder: Option<PathBuf>,
    pub(super) surroundings: Surroundings,
}

/// A `.credential` file.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    r#type: Option<String>,
    secret_id: Option<String>,
    secret_key: Option<String>,
    token: Option<String>,
    #[serde(deserialize_with = "integer")]
    expires_at: Option<i64>,
    #[serde(rename = "role-arn")]
    role_arn: Option<String>,
    #[serde(rename = "role-session-name")]
    role_session_name: Option<String>,
}

impl Tccli {
    fn path(&self) -> Option<PathBuf> {
        let environment = &self.surroundings.environment;
        let folder = self.folder.clone().or_else(|| home(environment).map(|home| home.join(".tccli")))?;
        let named = self.profile.as_ref().map(ToString::to_string);
        let profile = named.or_else(|| environment.get("TCCLI_PROFILE")).unwrap_or_else(|| "default".to_owned());
        Some(folder.join(format!("{profile}.credential")))
    }

    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let Some(path) = self.path() else { return Ok(Found::Nothing("HOME is not set".to_owned())) };
        let Some((text, stamp)) = read_file(&path)? else {
            return Ok(Found::Nothing(format!("there is no file {}", path.display())));
        };
        let document = parse(&path, &text)?;
        let found = match (self.role_of_environment(&path)?, document.is_of_instance(), document.role(&path)?) {
            (Some(role), _, _) | (None, false, Some(role)) => {
                let base = document.given(&path)?;
                let call = AssumeRole { sts: &self.surroundings.sts, keys: base.keys(), role: &role };
                Found::Keys(client.call_for_keys(&call).await?)
            }
            (None, true, _) => {
                InstanceRole { role_name: None, metadata: self.surroundings.metadata.clone() }.keys(client).await?
            }
            (None, false, None) => Found::Keys(document.given(&path)?),
        };
        Ok(match found {
            Found::Keys(given) => Found::Keys(given.read_from([stamp])),
            nothing @ Found::Nothing(_) => nothing,
        })
    }

    /// The role the environment names, which comes before the file's.
    fn role_of_environment(&self, path: &Path) -> Result<Option<Role>, Error> {
        let variable = |name| self.surroundings.environment.get(name).filter(|_| self.profile.is_none());
        role(path, variable("TENCENTCLOUD_ROLE_ARN"), variable("TENCENTCLOUD_ROLE_SESSION_NAME"))
    }
}

/// Neither the text nor a part of it gets into the error.
fn parse(path: &Path, text: &str) -> Result<Document, Error> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        wrong(
            path,
            &format!(
                "is not what tccli writes (line {line}, column {column}); expected JSON with secretId and secretKey"
            ),
        )
    })
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::new(Reason::Denied, format!("the file {} {what}", path.display()))
}

/// A role to assume, where both its parts are there, as the command line has it.
fn role(path: &Path, arn: Option<String>, session_name: Option<String>) -> Result<Option<Role>, Error> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let (Some(arn), Some(session_name)) = (filled(arn), filled(session_name)) else { return Ok(None) };
    let odd =
        |message: String| Error::new(Reason::Denied, format!("the role that goes with {}: {message}", path.display()));
    let arn = RoleArn::try_from(arn).map_err(odd)?;
    let session_name = SessionName::try_from(session_name).map_err(odd)?;
    Ok(Some(Role { arn, session_name, life: KeyLife::default() }))
}

impl Document {
    fn is_of_instance(&self) -> bool {
        self.r#type.as_deref() == Some("cvm-role")
    }

    fn role(&self, path: &Path) -> Result<Option<Role>, Error> {
        role(path, self.role_arn.clone(), self.role_session_name.clone())
    }

    /// The keys that stand in the file.
    fn given(&self, path: &Path) -> Result<Given, Error> {
        let keys = Keys {
            id: key(path, "secretId", self.secret_id.as_deref())?,
            secret: key(path, "secretKey", self.secret_key.as_deref())?,
            token: self.token.as_deref().filter(|token| !token.trim().is_empty()).map(|token| token.trim().into()),
        };
        let login = match self.r#type.as_deref() {
            Some("oauth") => "tccli auth login",
            Some("sso") => "tccli sso login",
            _ => return Ok(Given::lasting(keys)),
        };
        let again = |what: &str| wrong(path, &format!("{what}; run `{login}` again, or any other command of tccli"));
        let end = self.expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok());
        let (end, now) = (end.ok_or_else(|| again("does not say when its keys end"))?, clock::now());
        if end <= now {
            return Err(again(&format!("has keys of a login that ended at {end}")));
        }
        Ok(Given::until(keys, end, now))
    }
}

fn key(path: &Path, name: &str, value: Option<&str>) -> Result<SecretString, Error> {
    match value.map(str::trim) {
        None | Some("") => Err(wrong(path, &format!("has no {name}; run `tccli configure`"))),
        Some(value) if value.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(value.into()),
        Some(_) => Err(wrong(path, &format!("has a {name} with a blank or another character that no key has"))),
    }
}

impl Source for Tccli {
    fn describe(&self) -> String {
        "the files of tccli".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    fn read(document: &Value) -> Result<Vec<String>, String> {
        let path = Path::new("/f");
        let given = parse(path, &document.to_string()).and_then(|document| document.given(path));
        given
            .map(|given| given.keys().secrets().into_iter().map(str::to_owned).collect())
            .map_err(|error| crate::cloud::chain(&error))
    }

    #[test]
    fn what_the_command_line_writes_is_taken() {
        let soon = (clock::now() + SignedDuration::from_mins(5)).as_second();
        for document in [
            json!({"secretId": "AKIDx", "secretKey": "k", "token": "t"}),
            json!({"secretId": "AKIDx", "secretKey": "k", "token": "t", "type": "default", "role-arn": null}),
            json!({"type": "oauth", "secretId": "AKIDx", "secretKey": "k", "token": "t", "expiresAt": soon,
                "oauth": {"openId": "o", "accessToken": "a", "expiresAt": 1, "refreshToken": "r", "site": "cn"}}),
            json!({"type": "sso", "secretId": "AKIDx", "secretKey": "k", "token": "t", "expiresAt": soon, "sso": {}}),
        ] {
            assert_eq!(read(&document).unwrap(), ["AKIDx", "k", "t"], "{document}");
        }
        assert_eq!(read(&json!({"secretId": "AKIDx", "secretKey": "k", "token": null})).unwrap(), ["AKIDx", "k"]);
    }

    #[test]
    fn what_is_wrong_is_told_without_a_value() {
        let login =
            |end: Value| json!({"type": "oauth", "secretId": "hunter2", "secretKey": "hunter2", "expiresAt": end});
        for (document, expected) in [
            (json!({"secretId": "hunter2"}), "the file /f has no secretKey; run `tccli configure`"),
            (json!({"secretKey": "hunter2", "secretId": ""}), "has no secretId"),
            (json!({"secretId": "hunter2 hunter2", "secretKey": "k"}), "has a secretId with a blank"),
            (json!({"secretId": ["hunter2"]}), "is not what tccli writes (line 1, column "),
            (json!("hunter2"), "is not what tccli writes"),
            (login(json!(1_700_000_000)), "ended at 2023-11-14T22:13:20Z; run `tccli auth login` again"),
            (login(Value::Null), "does not say when its keys end"),
        ] {
            let error = read(&document).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{document}: {error}");
        }
        let broken = parse(Path::new("/f"), "{\"secretId\": \"hunter2").err().unwrap();
        assert!(!format!("{broken:?}").contains("hunter2"));
    }

    #[test]
    fn a_role_has_two_parts() {
        let of = |arn: &str, name: &str| role(Path::new("/f"), Some(arn.to_owned()), Some(name.to_owned()));
        assert!(of("qcs::cam::uin/1:roleName/a", "me").unwrap().is_some());
        assert!(of("qcs::cam::uin/1:roleName/a", "").unwrap().is_none());
        assert!(of("role", "me").is_err());
    }
}
