//! References to secrets: where a secret is, never the secret. The value is read when an account is set up.

use super::read_text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a secret is: `{env: NAME}` or `{file: PATH}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; blanks and line ends around the secret are not part of it.
    File(PathBuf),
}

/// Where environment variables are looked up: the process's own, or a test's.
#[derive(Clone)]
pub struct Environment(Arc<LookUp>);

type LookUp = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        Self::from_fn(|name| std::env::var(name).ok())
    }

    /// Whatever `look_up` says.
    pub fn from_fn(look_up: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look_up))
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Environment")
    }
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// A sentence that says what is missing where; never the secret or a part of it.
    pub fn read(&self, environment: &Environment) -> Result<SecretString, String> {
        let text = match self {
            Self::Env(name) => environment.get(name),
            Self::File(path) => {
                Some(read_text(path).map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?)
            }
        };
        match text.as_deref().map(str::trim) {
            None => Err(format!("{self} is not set")),
            Some("") => Err(format!("{self} is empty")),
            Some(secret) => Ok(SecretString::from(secret)),
        }
    }

    /// Reads a secret that becomes part of a header: one without blanks and other characters that no key has.
    ///
    /// # Errors
    /// As [`read`](Self::read), and for a secret that does not fit.
    pub fn read_key(&self, environment: &Environment) -> Result<SecretString, String> {
        let secret = self.read(environment)?;
        if secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(secret)
        } else {
            Err(format!("{self} has a blank or another character that no key has; expected the key alone"))
        }
    }

    /// As [`read_key`](Self::read_key), for one that may be missing altogether; only a variable can be.
    ///
    /// # Errors
    /// As [`read_key`](Self::read_key), but a variable that is not set is no error.
    pub fn read_optional_key(&self, environment: &Environment) -> Result<Option<SecretString>, String> {
        if self.is_unset(environment) { Ok(None) } else { self.read_key(environment).map(Some) }
    }

    fn is_unset(&self, environment: &Environment) -> bool {
        match self {
            Self::Env(name) => environment.get(name).is_none(),
            Self::File(_) => false,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A secret may stand there by mistake.
            Self::Env(name) if !is_usual_name(name) => formatter
                .write_str("the environment variable named here (which is not shown: it may be the secret itself)"),
            Self::Env(name) => write!(formatter, "the environment variable {name}"),
            Self::File(path) => write!(formatter, "the file {}", path.display()),
        }
    }
}

/// Whether it has the letters of an environment variable's name; few secrets are in capitals throughout.
fn is_usual_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RefVisitor { plain: false }).and_then(|found| match found {
            TextOrRef::Ref(reference) => Ok(reference),
            TextOrRef::Text(_) => Err(de::Error::custom(PLAIN)),
        })
    }
}

/// What is no secret but may come from the same places as one: a user name, a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextOrRef {
    /// Written in the config.
    Text(String),
    /// Kept elsewhere.
    Ref(SecretRef),
}

impl<'de> Deserialize<'de> for TextOrRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RefVisitor { plain: true })
    }
}

const PLAIN: &str = "a secret does not belong in the file; write {env: NAME} or {file: PATH} instead";

struct RefVisitor {
    plain: bool,
}

impl<'de> Visitor<'de> for RefVisitor {
    type Value = TextOrRef;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.plain {
            "a text, {env: NAME} or {file: PATH}"
        } else {
            "{env: NAME} or {file: PATH}"
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TextOrRef, E> {
        if self.plain && !text.is_empty() {
            Ok(TextOrRef::Text(text.to_owned()))
        } else {
            // Never the text itself: it may be a secret.
            Err(E::custom(PLAIN))
        }
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<TextOrRef, E> {
        Err(E::custom(PLAIN))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<TextOrRef, E> {
        Err(E::custom(PLAIN))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<TextOrRef, E> {
        Err(E::custom(PLAIN))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextOrRef, A::Error> {
        let wrong = || de::Error::custom("expected one key, {env: NAME} or {file: PATH}, with a blank after the `:`");
        let Some((key, value)) = map.next_entry::<String, String>()? else {
            return Err(wrong());
        };
        if map.next_key::<String>()?.is_some() || value.is_empty() {
            return Err(wrong());
        }
        match key.as_str() {
            "env" => Ok(TextOrRef::Ref(SecretRef::Env(value))),
            "file" => Ok(TextOrRef::Ref(SecretRef::File(value.into()))),
            _ => Err(wrong()),
        }
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretReference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret is: an environment variable or a file.",
            "oneOf": [
                {"type": "object", "properties": {"env": {"type": "string", "minLength": 1}}, "required": ["env"], "additionalProperties": false},
                {"type": "object", "properties": {"file": {"type": "string", "minLength": 1}}, "required": ["file"], "additionalProperties": false},
            ]
        })
    }
}

impl JsonSchema for TextOrRef {
    fn schema_name() -> Cow<'static, str> {
        "TextOrReference".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A plain text, or where it is kept.",
            "anyOf": [{"type": "string", "minLength": 1}, generator.subschema_for::<SecretRef>()]
        })
    }
}
