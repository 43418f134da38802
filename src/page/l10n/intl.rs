//! Numbers, dates and plural categories, by the browser's `Intl`; natively a plain stand-in for the tests of the catalogues.

/// What formats a value: a class of `Intl` and its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formatter {
    /// `NumberFormat.format`.
    Number,
    /// `DateTimeFormat.format`, of milliseconds since 1970.
    Date,
    /// `PluralRules.select`.
    Plural,
}

/// An option of a formatter, by the name that `Intl` and Fluent have for it.
pub type FormatOption<'a> = (&'a str, FormatValue<'a>);

/// The value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatValue<'a> {
    /// A keyword.
    Keyword(&'a str),
    /// A whole number, such as one of digits.
    Number(u8),
}

/// Formats a value in the language of a BCP 47 tag; `None` if the browser takes no such option or value.
#[cfg(target_arch = "wasm32")]
pub fn format(locale: &str, formatter: Formatter, options: &[FormatOption<'_>], value: f64) -> Option<String> {
    browser::format(locale, formatter, options, value)
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use js_sys::{Array, Function, Object, Reflect};
    use wasm_bindgen::{JsCast as _, JsValue};

    use super::{FormatOption, FormatValue, Formatter};

    thread_local! {
        /// By language, formatter and options: to make one takes much longer than to use it. `None`: it cannot be made.
        static MADE: RefCell<BTreeMap<String, Option<(JsValue, Function)>>> = RefCell::default();
    }

    pub fn format(locale: &str, formatter: Formatter, options: &[FormatOption<'_>], value: f64) -> Option<String> {
        let mut key = format!("{locale} {}", formatter as u8);
        for (name, value) in options {
            let (keyword, number) = match value {
                FormatValue::Keyword(keyword) => (*keyword, 0),
                FormatValue::Number(number) => ("", *number),
            };
            key += &format!(" {name} {keyword}{number}");
        }
        let made = MADE
            .with_borrow_mut(|made| made.entry(key).or_insert_with(|| make(locale, formatter, options).ok()).clone());
        let (object, method) = made?;
        method.call1(&object, &JsValue::from_f64(value)).ok()?.as_string()
    }

    fn make(locale: &str, formatter: Formatter, options: &[FormatOption<'_>]) -> Result<(JsValue, Function), JsValue> {
        let (class, method) = match formatter {
            Formatter::Number => ("NumberFormat", "format"),
            Formatter::Date => ("DateTimeFormat", "format"),
            Formatter::Plural => ("PluralRules", "select"),
        };
        let bag = Object::new();
        for (name, value) in options {
            let value = match value {
                FormatValue::Keyword(keyword) => JsValue::from_str(keyword),
                FormatValue::Number(number) => JsValue::from(*number),
            };
            Reflect::set(&bag, &(*name).into(), &value)?;
        }
        let intl = Reflect::get(&js_sys::global(), &"Intl".into())?;
        let class: Function = Reflect::get(&intl, &class.into())?.dyn_into()?;
        let object = Reflect::construct(&class, &Array::of2(&locale.into(), &bag))?;
        let method = Reflect::get(&object, &method.into())?.dyn_into()?;
        Ok((object, method))
    }
}

/// As [`format()`] in the browser, in English notation whatever the language; plurals in the languages of the catalogues.
#[cfg(not(target_arch = "wasm32"))]
pub fn format(locale: &str, formatter: Formatter, options: &[FormatOption<'_>], value: f64) -> Option<String> {
    let digits = |wanted: &str| {
        options.iter().find_map(|(name, value)| match value {
            FormatValue::Number(number) if *name == wanted => Some(usize::from(*number)),
            _ => None,
        })
    };
    Some(match formatter {
        Formatter::Number => {
            let is_percent = options.contains(&("style", FormatValue::Keyword("percent")));
            let value = if is_percent { 100.0 * value } else { value };
            let least = digits("minimumFractionDigits").unwrap_or(0);
            let before_point = value.abs().log10().floor() as i64 + 1;
            let significant = |digits: usize| usize::try_from(digits as i64 - before_point).unwrap_or(0);
            let most = match digits("maximumSignificantDigits").filter(|_| value != 0.0) {
                Some(digits) => significant(digits),
                None => digits("maximumFractionDigits").unwrap_or(if is_percent { 0 } else { 3 }).max(least),
            };
            let mut text = format!("{value:.most$}");
            while text.contains('.') && text.len() - text.find('.')? > least + 1 && text.ends_with('0') {
                text.pop();
            }
            format!("{}{}", text.trim_end_matches('.'), if is_percent { "%" } else { "" })
        }
        Formatter::Date => format!("@{value}"),
        Formatter::Plural => {
            let last = value % 100.0;
            let category = match (locale.split('-').next()?, value) {
                ("en" | "de", 1.0) => "one",
                ("ar", 0.0) => "zero",
                ("ar", 1.0) => "one",
                ("ar", 2.0) => "two",
                ("ar", _) if (3.0..=10.0).contains(&last) => "few",
                ("ar", _) if (11.0..=99.0).contains(&last) => "many",
                _ => "other",
            };
            category.to_owned()
        }
    })
}
