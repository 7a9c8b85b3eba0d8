//! Text to one YAML value. Finds what is wrong with the YAML itself: syntax, keys that stand twice, tags, aliases that blow
//! the document up. Knows nothing of what the keys mean.

use super::found::{Found, Part};
use super::words;
use crate::cloud::settings::Step;
use serde::de::{self, DeserializeSeed, Deserializer as _, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::{Deserializer, Mapping, Value};
use std::fmt;

/// What was read, and what is wrong with it that did not keep it from being read.
#[derive(Debug)]
pub(super) struct Document {
    /// The value; merge keys are merged, tags are gone.
    pub(super) value: Value,
    /// Keys that stand twice, tags.
    pub(super) found: Vec<Found>,
}

/// Why nothing was read, and where if that is known.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// Line and column, both from 1.
    pub(super) place: Option<(usize, usize)>,
    /// What is wrong and what would be right.
    pub(super) message: String,
}

impl Document {
    /// Reads the one document of a text that has no byte order mark.
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        refuse_control_characters(text)?;
        let mut reader = Reader { path: Vec::new(), found: Vec::new(), budget: budget_of(text) };
        let value = reader.deserialize(Deserializer::from_str(text)).map_err(|error| unreadable(&error, text))?;
        let mut document = Self { value, found: reader.found };
        document.value.apply_merge().map_err(|error| unreadable(&error, text))?;
        Ok(document)
    }
}

/// Without aliases a document has no more values, and no longer ones, than its text has room for.
const fn budget_of(text: &str) -> usize {
    1_000_000 + 2 * text.len()
}

fn refuse_control_characters(text: &str) -> Result<(), Unreadable> {
    let odd = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{85}');
    for (row, line) in text.split('\n').enumerate() {
        if let Some((column, character)) = line.chars().enumerate().find(|&(_, character)| odd(character)) {
            return Err(Unreadable {
                place: Some((row + 1, column + 1)),
                message: format!(
                    "the control character U+{:04X} does not belong in a text file; remove it",
                    u32::from(character)
                ),
            });
        }
    }
    Ok(())
}

fn unreadable(error: &serde_yaml::Error, text: &str) -> Unreadable {
    let message = words::of_yaml(&error.to_string());
    let place = error.location().map(|location| (location.line(), location.column()));
    let at_tab = place.is_some_and(|(line, column)| {
        text.lines().nth(line - 1).and_then(|line| line.chars().nth(column - 1)) == Some('\t')
    });
    if at_tab {
        return Unreadable { place, message: "a tab; YAML is indented with blanks only".to_owned() };
    }
    if message == words::SECOND_DOCUMENT {
        return Unreadable { place: second_document(text), message };
    }
    Unreadable { place, message }
}

/// Where the second document of a text begins.
fn second_document(text: &str) -> Option<(usize, usize)> {
    let second = Deserializer::from_str(text).nth(1)?;
    let location = second.deserialize_any(Refuse).err()?.location()?;
    let before = text.lines().take(location.line()).enumerate();
    let marker = before.filter(|(_, line)| line.starts_with("---")).last();
    marker.map_or(Some((location.line(), location.column())), |(row, _)| Some((row + 1, 1)))
}

/// Takes no value at all, so that the error says where the value is.
struct Refuse;

impl Visitor<'_> for Refuse {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nothing")
    }
}

/// A key as text, whatever scalar it is: `5:` and `true:` are keys that are known to nobody, which is found out later.
pub(super) struct Key<'a> {
    /// Fails on purpose at this key, so that the error says where it is.
    pub(super) stop_at: Option<&'a str>,
}

impl Key<'_> {
    fn take<E: de::Error>(&self, key: &str) -> Result<String, E> {
        if self.stop_at == Some(key) { Err(E::custom("here")) } else { Ok(key.to_owned()) }
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key that is a plain text")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        self.take(key)
    }

    fn visit_bool<E: de::Error>(self, key: bool) -> Result<String, E> {
        self.take(&key.to_string())
    }

    fn visit_u64<E: de::Error>(self, key: u64) -> Result<String, E> {
        self.take(&key.to_string())
    }

    fn visit_i64<E: de::Error>(self, key: i64) -> Result<String, E> {
        self.take(&key.to_string())
    }

    fn visit_f64<E: de::Error>(self, key: f64) -> Result<String, E> {
        self.take(&key.to_string())
    }
}

fn can_merge(value: &Value) -> bool {
    let items = value.as_sequence();
    value.is_mapping() || items.is_some_and(|items| items.iter().all(Value::is_mapping))
}

struct Reader {
    path: Vec<Step>,
    found: Vec<Found>,
    budget: usize,
}

impl Reader {
    fn spend<E: de::Error>(&mut self, size: usize) -> Result<(), E> {
        self.budget = self.budget.checked_sub(size).ok_or_else(|| E::custom(words::TOO_LARGE))?;
        Ok(())
    }

    fn note(&mut self, part: Part, message: &str) {
        self.found.push(Found { path: self.path.clone(), part, message: message.to_owned() });
    }
}

impl<'de> DeserializeSeed<'de> for &mut Reader {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.spend(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number, true, false, a list or a mapping")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        // No setting is so large a number, but an id may consist of digits.
        Ok(value.to_string().into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        Ok(value.to_string().into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.spend(text.len())?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            self.path.push(Step::Index(list.len()));
            let item = items.next_element_seed(&mut *self)?;
            self.path.pop();
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Sequence(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut mapping = Mapping::new();
        while let Some(key) = entries.next_key_seed(Key { stop_at: None })? {
            self.spend(key.len())?;
            self.path.push(Step::Key(key.clone()));
            let key = Value::from(key);
            if mapping.contains_key(&key) {
                self.note(Part::SecondKey, "this key stands here twice; keep one of them");
            }
            let value = entries.next_value_seed(&mut *self)?;
            if key == "<<" && !can_merge(&value) {
                self.note(Part::Value, words::NOTHING_TO_MERGE);
            } else {
                mapping.insert(key, value);
            }
            self.path.pop();
        }
        Ok(Value::Mapping(mapping))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (_, contents) = data.variant_seed(Key { stop_at: None })?;
        self.note(Part::Value, words::TAG);
        contents.newtype_variant_seed(self)
    }
}
