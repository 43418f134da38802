//! The JSON header of a safetensors file, looked at before it is parsed, and what is told of a stranger's header.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::WeightsError;

/// Bytes of the header's length at the start of a file.
const LENGTH: usize = 8;
/// Most characters of what a file says that an error repeats.
const SHOWN: usize = 80;

/// Checks that no key comes twice in an object of the header: the parser would keep one of them, and another reader the
/// other. A header that is no JSON passes; the parser says more of it.
///
/// Not in a tab, where each file is named by its hash or of the tab's own making: what it loads would be larger by a hundredth.
pub(super) fn check_unique_keys(bytes: &[u8]) -> Result<(), WeightsError> {
    if cfg!(target_arch = "wasm32") {
        return Ok(());
    }
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else { return Ok(()) };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let Some(header) = rest.get(..length) else { return Ok(()) };
    match serde_json::from_slice::<UniqueKeys>(header) {
        Err(error) if error.is_data() => Err(WeightsError::Malformed(error.to_string())),
        _ => Ok(()),
    }
}

/// The beginning of what a file says, so that an error stays short whatever came.
pub(super) fn shown(text: impl fmt::Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Any JSON value in whose objects no key comes twice.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, Self)) = entries.next_entry::<String, Self>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format!("its header has `{}` twice", shown(key))));
            }
            keys.insert(key);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Weights;

    fn file(header: &str, values: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; 4 * values]].concat()
    }

    #[test]
    fn what_comes_twice_is_refused() {
        let a = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        assert!(Weights::from_safetensors(&file(&format!("{{{a}}}"), 1)).is_ok());
        for twice in [
            format!("{{{a},{a}}}"),
            // The same name, written in another way.
            format!("{{{a},{}}}", a.replace("\"a\"", "\"\\u0061\"")),
            format!(r#"{{"__metadata__":{{"k":"1","k":"2"}},{a}}}"#),
        ] {
            for error in [
                Weights::from_safetensors(&file(&twice, 1)).map(|_| ()).unwrap_err(),
                Weights::metadata(&file(&twice, 1)).map(|_| ()).unwrap_err(),
            ] {
                assert!(matches!(&error, WeightsError::Malformed(reason) if reason.contains("twice")), "{error}");
            }
        }
    }

    #[test]
    fn errors_stay_short_whatever_came() {
        let (shape, name) = (vec![0; 100_000], "x".repeat(100_000));
        for error in [
            WeightsError::Shape { name: "a".into(), expected: vec![2, 2], found: shape },
            WeightsError::Unexpected { name: name.clone() },
            WeightsError::Type { name: name.clone(), found: "I8".into() },
            WeightsError::Malformed(name),
        ] {
            assert!(error.to_string().chars().count() <= 200, "{error}");
        }
        let error = WeightsError::Shape { name: "a".into(), expected: vec![2, 2], found: vec![4] };
        assert_eq!(error.to_string(), "tensor `a` has shape [4], expected [2, 2]");
    }
}
