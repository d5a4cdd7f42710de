//! The keys of a recipe and what each may hold, asked of the types that a recipe is read into: there is no list to keep.

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;
use std::cell::Cell;

type Stop = serde::de::value::Error;

/// What a key may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keys of its own.
    Table(Vec<(&'static str, Kind)>),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// An integer.
    Whole,
    /// An integer or a float.
    Number,
    /// A string.
    Text,
    /// A string of one character.
    Character,
    /// What only the type itself can tell.
    Other,
}

/// What a `T` is read from.
pub fn of<T: for<'de> Deserialize<'de>>() -> Kind {
    kind_at::<T>(&[])
}

/// What stands at `path`, a key within a key: `T` is read from a table that holds nothing else, down to the type that is
/// asked for, whose answer is noted.
fn kind_at<T: for<'de> Deserialize<'de>>(path: &[&'static str]) -> Kind {
    let found = Cell::new(Found::Kind(Kind::Other));
    // It always ends with an error: nothing has a value.
    let _ = T::deserialize(Probe { path, found: &found });
    match found.into_inner() {
        Found::Kind(kind) => kind,
        Found::Fields(fields) => {
            let kind_of = |field: &'static str| (field, kind_at::<T>(&[path, &[field]].concat()));
            Kind::Table(fields.iter().copied().map(kind_of).collect())
        }
    }
}

enum Found {
    Kind(Kind),
    Fields(&'static [&'static str]),
}

#[derive(Clone, Copy)]
struct Probe<'a> {
    path: &'a [&'static str],
    found: &'a Cell<Found>,
}

impl Probe<'_> {
    fn note<T>(self, found: Found) -> Result<T, Stop> {
        self.found.set(found);
        Err(Stop::custom("there is no value"))
    }
}

/// Answers of the simple types.
macro_rules! kinds {
    ($($kind:ident: $($method:ident)*;)*) => {
        $($(
            fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
                self.note(Found::Kind(Kind::$kind))
            }
        )*)*
    };
}

impl<'de> Deserializer<'de> for Probe<'de> {
    type Error = Stop;

    kinds! {
        Boolean: deserialize_bool;
        Whole: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128;
        Number: deserialize_f32 deserialize_f64;
        Character: deserialize_char;
        Text: deserialize_str deserialize_string;
        Other: deserialize_any;
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.path {
            [] => self.note(Found::Fields(fields)),
            [first, rest @ ..] => {
                let entry = (StrDeserializer::new(first), Probe { path: rest, ..self });
                visitor.visit_map(MapDeserializer::new(std::iter::once(entry)))
            }
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(Found::Kind(Kind::OneOf(variants)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier ignored_any }
}

impl<'de> serde::de::IntoDeserializer<'de, Stop> for Probe<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    fn table(kind: Kind) -> Vec<(&'static str, Kind)> {
        match kind {
            Kind::Table(keys) => keys,
            other => panic!("{other:?} is no table"),
        }
    }

    fn at(keys: &[(&'static str, Kind)], key: &str) -> Kind {
        keys.iter().find(|(name, _)| *name == key).unwrap_or_else(|| panic!("no {key} in {keys:?}")).1.clone()
    }

    #[test]
    fn a_recipes_keys_and_their_kinds() {
        let recipe = table(of::<Recipe>());
        assert_eq!(at(&recipe, "name"), Kind::Text);
        let (data, model, training) =
            (table(at(&recipe, "data")), table(at(&recipe, "model")), table(at(&recipe, "training")));
        assert_eq!((at(&data, "train"), at(&data, "delimiter")), (Kind::Text, Kind::Character));
        assert_eq!((at(&model, "hidden"), at(&model, "bidirectional")), (Kind::Whole, Kind::Boolean));
        assert_eq!(at(&model, "cell"), Kind::OneOf(&["lstm", "gru", "rnn", "rnn_relu"]));
        assert_eq!((at(&training, "seed"), at(&training, "warm_up")), (Kind::Whole, Kind::Number));
    }
}
