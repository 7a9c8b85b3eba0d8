//! Where in the text a path leads. The YAML reader tells positions only with its errors, so the document is read once more
//! and fails on purpose at the place that is sought.

use super::document::Key;
use super::found::Part;
use crate::cloud::settings::Step;
use serde::de::{self, DeserializeSeed, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::Deserializer;
use std::fmt;

/// Line and column, both from 1. A path that leads nowhere, such as one that came through a merge key, is where its
/// nearest parent is.
pub(super) fn locate(text: &str, path: &[Step], part: Part) -> (usize, usize) {
    if let Some(place) = seek(text, path, part) {
        return place;
    }
    match path.split_last() {
        Some((_, parent)) => locate(text, parent, Part::Value),
        None => (1, 1),
    }
}

fn seek(text: &str, path: &[Step], part: Part) -> Option<(usize, usize)> {
    let error = Walk { path, part }.deserialize(Deserializer::from_str(text)).err()?;
    error.location().map(|location| (location.line(), location.column()))
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [Step],
    part: Part,
}

impl<'a> Walk<'a> {
    /// Fails where the path ends; elsewhere there is nothing to see.
    fn arrive<E: de::Error>(self) -> Result<(), E> {
        if self.path.is_empty() { Err(E::custom("here")) } else { Ok(()) }
    }

    /// What is sought under a key, and the walk that goes on there.
    fn key(self) -> Option<(&'a str, Self)> {
        match self.path.split_first() {
            Some((Step::Key(key), path)) => Some((key, Self { path, ..self })),
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.arrive()
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.arrive()
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<(), E> {
        self.arrive()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.arrive()
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.arrive()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.arrive()?;
        let mut index = 0;
        loop {
            let more = match self.path.split_first() {
                Some((Step::Index(wanted), path)) if *wanted == index => {
                    items.next_element_seed(Self { path, ..self })?.is_some()
                }
                _ => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.arrive()?;
        let mut seen = 0;
        loop {
            let is_last_step = self.path.len() == 1;
            let stop = is_last_step && (self.part == Part::Key || self.part == Part::SecondKey && seen == 1);
            let stop_at = self.key().filter(|_| stop).map(|(key, _)| key);
            let Some(key) = entries.next_key_seed(Key { stop_at })? else {
                return Ok(());
            };
            match self.key().filter(|(wanted, _)| *wanted == key) {
                Some((_, walk)) if self.part != Part::SecondKey || !is_last_step => entries.next_value_seed(walk)?,
                found => {
                    seen += usize::from(found.is_some());
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (_, contents) = data.variant_seed(Key { stop_at: None })?;
        contents.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> Step {
        Step::Key(key.to_owned())
    }

    #[test]
    fn values_keys_and_second_keys_are_found() {
        let text = "a: 1\nb:\n  - x\n  - {c: 2, d: [], c: 3}\n5: é\n";
        assert_eq!(locate(text, &[key("a")], Part::Value), (1, 4));
        assert_eq!(locate(text, &[key("b"), Step::Index(0)], Part::Value), (3, 5));
        let second = [key("b"), Step::Index(1), key("c")];
        assert_eq!(locate(text, &second, Part::Key), (4, 6));
        assert_eq!(locate(text, &second, Part::Value), (4, 9));
        assert_eq!(locate(text, &second, Part::SecondKey), (4, 19));
        assert_eq!(locate(text, &[key("b"), Step::Index(1), key("d")], Part::Value), (4, 15));
        assert_eq!(locate(text, &[key("5")], Part::Key), (5, 1));
    }

    #[test]
    fn what_is_not_there_is_where_its_parent_is() {
        let text = "a:\n  b: 1\n";
        assert_eq!(locate(text, &[key("a"), key("x"), Step::Index(3)], Part::Value), (2, 3));
        assert_eq!(locate(text, &[key("x")], Part::Key), (1, 1));
        assert_eq!(locate("", &[key("x")], Part::Key), (1, 1));
    }

    #[test]
    fn aliases_and_tags_are_followed() {
        let text = "a: &a {b: 1}\nc: *a\nd: !t {e: 2}\n";
        assert_eq!(locate(text, &[key("c"), key("b")], Part::Value), (1, 11));
        assert_eq!(locate(text, &[key("d"), key("e")], Part::Value), (3, 11));
    }
}
