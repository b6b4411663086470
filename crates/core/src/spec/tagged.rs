//! Lets `optimizer = "adam"` stand for `optimizer = { adam = {} }`.
//!
//! serde's externally tagged enums accept a bare name only for variants without fields. In a study
//! file, a bare name means "with every default"; so it is turned into a table with the name as its
//! one key and an empty table as the value, which the derived code reads.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

/// Deserializes an externally tagged enum from its name alone or from a table with one key.
///
/// # Errors
///
/// Those of `T`, plus one that names the two accepted forms when the value is neither.
pub fn name_or_table<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(NameOrTable(PhantomData))
}

struct NameOrTable<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NameOrTable<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a name, or a table with that name as its only key")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        let table = std::iter::once((name, EmptyTable));
        T::deserialize(MapAccessDeserializer::new(MapDeserializer::new(table)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let value = T::deserialize(MapAccessDeserializer::new(&mut map))?;
        // The derived code stops at the first key.
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(key) => Err(Error::custom(format_args!(
                "`{key}` is a second key, but this table may have only one"
            ))),
        }
    }
}

/// `{}` as a deserializer: a table without keys, or a unit for variants without fields.
struct EmptyTable;

impl<'de, E: Error> IntoDeserializer<'de, E> for EmptyTable {
    type Deserializer = EmptyTableDeserializer<E>;

    fn into_deserializer(self) -> Self::Deserializer {
        EmptyTableDeserializer(PhantomData)
    }
}

struct EmptyTableDeserializer<E>(PhantomData<E>);

impl<'de, E: Error> Deserializer<'de> for EmptyTableDeserializer<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        let nothing = std::iter::empty::<(StrDeserializer<'de, E>, StrDeserializer<'de, E>)>();
        visitor.visit_map(MapDeserializer::new(nothing))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
