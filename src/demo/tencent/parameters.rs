//! The parameters of a request to the simulated cloud, however they came: as JSON, in a query, in a form.

use super::super::http::{Asked, decode_form};
use super::Refusal;
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;

/// What API 2.0 sends beside an action's own parameters.
const COMMON: [&str; 10] = [
    "Action",
    "Region",
    "Timestamp",
    "Nonce",
    "SecretId",
    "SignatureMethod",
    "Signature",
    "Token",
    "RequestClient",
    "Version",
];

/// Parameters by flattened name: `Filters.0.Name`.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, Value>);

/// A condition on what is listed.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

impl Parameters {
    /// Those of a request of API 3.0.
    pub(super) fn of_request(asked: &Asked) -> Result<Self, Refusal> {
        if asked.method == Method::GET {
            let pairs = asked.parameters().into_iter();
            return Ok(Self(pairs.map(|(name, value)| (name, Value::String(value))).collect()));
        }
        let body: Value = serde_json::from_slice(&asked.body)
            .map_err(|_| Refusal::new("InvalidRequest", "the body is no JSON document"))?;
        let mut flat = BTreeMap::new();
        flatten("", body, &mut flat);
        Ok(Self(flat))
    }

    /// An action's own ones in a form of API 2.0.
    pub(super) fn of_form(form: &BTreeMap<String, String>) -> Self {
        let own = form.iter().filter(|(name, _)| !COMMON.contains(&name.as_str()));
        Self(own.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect())
    }

    /// Refuses every other parameter.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        let base = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        match self.0.keys().map(|name| base(name)).find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(Refusal::new("UnknownParameter", format!("there is no parameter {name:?}"))),
            None => Ok(()),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        match self.0.get(name) {
            None => Err(Refusal::new("MissingParameter", format!("the parameter {name} is missing"))),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Refusal::new("InvalidParameter", format!("{name} is no text"))),
        }
    }

    /// `Offset` and `Limit`.
    pub(super) fn page(&self, default: usize, most: usize) -> Result<(usize, usize), Refusal> {
        let limit = self.number("Limit")?.unwrap_or(default);
        if limit > most {
            return Err(Refusal::new("InvalidParameterValue.LimitExceeded", format!("Limit is {most} at the most")));
        }
        Ok((self.number("Offset")?.unwrap_or_default(), limit))
    }

    /// A whole number that is not below zero.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let number = match self.0.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_i64(),
        };
        let number = number.ok_or_else(|| Refusal::new("InvalidParameter", format!("{name} is no whole number")))?;
        let negative = |_| Refusal::new("InvalidParameterValue.Negative", format!("{name} is below zero"));
        usize::try_from(number).map(Some).map_err(negative)
    }

    /// A list of texts.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let items = (0..).map_while(|index| self.0.get(&format!("{name}.{index}")));
        items.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    }

    /// `Filters`, of which only these names (or beginnings that end with a colon) are taken.
    pub(super) fn filters(&self, names: &[&str]) -> Result<Vec<Filter>, Refusal> {
        let known =
            |name: &str| names.iter().any(|known| name == *known || (known.ends_with(':') && name.starts_with(known)));
        let mut filters = Vec::new();
        for index in 0.. {
            let Some(name) = self.0.get(&format!("Filters.{index}.Name")).and_then(Value::as_str) else { break };
            if !known(name) {
                return Err(Refusal::new(
                    "InvalidParameterValue.InvalidFilter",
                    format!("there is no filter {name:?}"),
                ));
            }
            let values = self.list(&format!("Filters.{index}.Values"));
            if values.len() > 5 {
                return Err(Refusal::new("InvalidParameterValue.LimitExceeded", "a filter has 5 values at the most"));
            }
            filters.push(Filter { name: name.to_owned(), values });
        }
        Ok(filters)
    }
}

/// The parameters of a request of API 2.0, which stand in the query or in the body.
pub(super) fn form(asked: &Asked) -> BTreeMap<String, String> {
    let pairs = if asked.method == Method::GET {
        asked.parameters()
    } else {
        decode_form(std::str::from_utf8(&asked.body).unwrap_or_default())
    };
    pairs.into_iter().collect()
}

fn flatten(name: &str, value: Value, into: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(fields) => fields.into_iter().for_each(|(key, value)| flatten(&below(&key), value, into)),
        Value::Array(items) => {
            items.into_iter().enumerate().for_each(|(index, value)| flatten(&below(&index.to_string()), value, into));
        }
        leaf => {
            into.insert(name.to_owned(), leaf);
        }
    }
}
