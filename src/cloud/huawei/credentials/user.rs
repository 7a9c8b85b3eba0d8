//! IAM tokens for a user name and a password, one after the other. The password is read anew for each.
//!
//! Vendor document: IAM "KeystoneCreateUserTokenByPassword". Real tokens live for a day.

use super::super::api::{Question, Site, document};
use super::super::error::Shown;
use super::super::project::is_project_id;
use super::super::time;
use super::super::wire::IssuedToken;
use super::federation::subject_token;
use super::given_token::stamp_of;
use super::{Aside, Said, token_alone};
use crate::cloud::credentials::{Found, Given, Source};
use crate::cloud::settings::{Environment, Report, SecretRef, TextOrRef};
use crate::cloud::{Answer, Call, Client, Error, Stamp, json};
use crate::model::Reason;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::Request;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::sync::Arc;

/// An IAM user, by what the config says.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: TextOrRef,
    pub(super) password: SecretRef,
    pub(super) domain: TextOrRef,
    /// The project that tokens are for; without one, the project of the region's name.
    pub(super) project_id: Option<Arc<str>>,
    pub(super) site: Site,
    pub(super) environment: Environment,
    pub(super) aside: Arc<Aside>,
}

/// The same, read.
#[derive(Debug)]
struct Login {
    name: String,
    password: SecretString,
    domain: String,
}

/// A value that could not be read.
struct Unread {
    key: &'static str,
    message: String,
}

impl User {
    /// The same, if all of it can be read now; what cannot is a mistake at its key. The report is at the credentials.
    pub(super) fn check(self, report: &mut Report) -> Option<Self> {
        let unread = self.read().err().unwrap_or_default();
        for Unread { key, message } in &unread {
            report.mistake_at(key, message.as_str());
        }
        unread.is_empty().then_some(self)
    }

    fn read(&self) -> Result<Login, Vec<Unread>> {
        let mut unread = Vec::new();
        let mut note = |key, message| unread.push(Unread { key, message });
        let text = |value: &TextOrRef| match value {
            TextOrRef::Text(text) => Ok(text.clone()),
            TextOrRef::Ref(place) => place.read(&self.environment).map(|text| text.expose_secret().to_owned()),
        };
        let name = text(&self.name).map_err(|message| note("user_name", message)).ok();
        let password = self.password.read(&self.environment).map_err(|message| note("password", message)).ok();
        let domain = text(&self.domain).map_err(|message| note("domain", message)).ok();
        match (name, password, domain) {
            (Some(name), Some(password), Some(domain)) => Ok(Login { name, password, domain }),
            _ => Err(unread),
        }
    }

    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        // Before the file is read, so that no change is missed.
        let stamp = stamp_of(&self.password);
        let login = self.read().map_err(|unread| {
            let messages: Vec<String> = unread.into_iter().map(|unread| unread.message).collect();
            Error::new(Reason::Denied, messages.join("; "))
        })?;
        client.announce::<CreateToken<'_>>();
        let call = CreateToken { site: &self.site, login: &login, project_id: self.project_id.as_deref() };
        let (token, issued) = client.call_for_keys(&call).await?;
        let given = issued.lifetime(token)?;
        let project_id = Some(self.project_of(&issued)?);
        self.aside.note(Said { project_id, iam: None });
        Ok(Found::Keys(given.read_from(stamp)))
    }

    fn project_of(&self, issued: &IssuedToken) -> Result<Arc<str>, Error> {
        if let Some(configured) = &self.project_id {
            return Ok(Arc::clone(configured));
        }
        let told = issued.token.project.as_ref().map(|project| &*project.id);
        let sane = told.filter(|id| is_project_id(id)).map(Arc::from);
        sane.ok_or_else(|| Error::new(Reason::Rejected, "the IAM token names no project; set `project_id`"))
    }
}

impl Source for User {
    fn describe(&self) -> String {
        "the IAM user of the config's `credentials`".to_owned()
    }

    fn keys<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Found, Error>> {
        self.ask(client).boxed()
    }
}

impl IssuedToken {
    /// The token with its end. When it was issued and when it ends are both by IAM's clock.
    fn lifetime(&self, token: SecretString) -> Result<Given, Error> {
        let missing = || Error::new(Reason::Decode, "the IAM token does not say when it was issued and when it ends");
        let expires_at = time::parse(&self.token.expires_at).ok_or_else(missing)?;
        let issued_at = time::parse(&self.token.issued_at).ok_or_else(missing)?;
        if expires_at <= issued_at {
            return Err(Error::new(Reason::Decode, "the IAM token ends before it was issued"));
        }
        Ok(Given::until(token_alone(token), expires_at, issued_at))
    }
}

/// A token for a user name and a password.
#[derive(Debug)]
struct CreateToken<'a> {
    site: &'a Site,
    login: &'a Login,
    project_id: Option<&'a str>,
}

impl Call for CreateToken<'_> {
    type Reply = (SecretString, IssuedToken);
    const API: &'static str = "KeystoneCreateUserTokenByPassword";
    const RATE: f64 = 1.0;

    fn request(&self, _: &Stamp) -> Result<Request<Bytes>, Error> {
        let Login { name, password, domain } = self.login;
        let project = match self.project_id {
            Some(id) => json!({"id": id}),
            None => json!({"name": &*self.site.region}),
        };
        let user = json!({"name": name, "password": password.expose_secret(), "domain": {"name": domain}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": {"project": project}}});
        // Without the catalogue of services the answer is a tenth of the size.
        let query = [("nocatalog", "true")];
        Question { query: &query, ..Question::post(&self.site.iam, "/v3/auth/tokens", &body) }.unproven()
    }

    fn secrets(&self) -> Vec<&str> {
        vec![self.login.password.expose_secret()]
    }

    fn reply(&self, answer: &Answer) -> Result<Self::Reply, Error> {
        let issued = document(answer, Shown::Password, |body| json::read(body, ""))?;
        Ok((subject_token(answer)?, issued))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::echo::tests::no_error_repeats_a_secret as check;
    use crate::cloud::settings::Endpoint;

    #[test]
    fn no_error_repeats_a_password() {
        let endpoint = |service: &str| Endpoint::https(&format!("{service}.cn-north-4.myhuaweicloud.com")).unwrap();
        let site = Site { region: "cn-north-4".into(), cce: endpoint("cce"), iam: endpoint("iam") };
        let login = Login { name: "exporter".into(), password: "a \"hunter\" / 2".into(), domain: "company".into() };
        let call = CreateToken { site: &site, login: &login, project_id: None };
        check(&call, &["APIGW.0301", "IAM.0011", "IAM.0007", "APIGW.0308"]);
        let stamp = Stamp { at: "2024-01-02T03:04:05Z".parse().unwrap(), nonce: String::new() };
        let uri = call.request(&stamp).unwrap().uri().to_string();
        assert_eq!(uri, "https://iam.cn-north-4.myhuaweicloud.com/v3/auth/tokens?nocatalog=true");
    }
}
