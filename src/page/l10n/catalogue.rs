//! A catalogue: the messages of one language, parsed, and what they say with their parameters. Nothing in a catalogue can
//! make it panic: what cannot be resolved is shown as it is written there (`{$name}`).

use std::collections::BTreeMap;

use fluent_syntax::ast::{
    Attribute, CallArguments, Entry, Expression, InlineExpression, Message, Pattern, PatternElement, Variant,
    VariantKey,
};
use fluent_syntax::parser::{self, ParserError};
use fluent_syntax::unicode;

use super::intl::{self, FormatOption, FormatValue, Formatter};
use super::language::Language;

/// References to messages and terms are followed so deep, in case they form a circle.
const MAX_DEPTH: usize = 8;
/// First strong isolate, and pop directional isolate: what stands between them has a direction of its own.
const ISOLATE: (char, char) = ('\u{2068}', '\u{2069}');

/// A parameter of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Shown as it is, such as an id.
    Text(String),
    /// Shown in the language's notation; it may choose among variants by its plural category.
    Number(f64),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::Number(number as f64)
            }
        }
    )* };
}
numbers!(u32, u64, usize, f32, f64);

/// The parameters of a message, by name.
pub type Arguments<'a> = &'a [(&'a str, Value)];

/// The messages of a language.
pub struct Catalogue {
    language: Language,
    /// The BCP 47 tag for numbers and dates.
    locale: String,
    messages: BTreeMap<String, Message<String>>,
    terms: BTreeMap<String, Pattern<String>>,
}

impl Catalogue {
    /// Parses a catalogue in Fluent's syntax, and numbers and dates as in `locale`. Entries with mistakes are left out, and
    /// their mistakes returned.
    pub fn parse(language: Language, locale: String, source: &str) -> (Self, Vec<ParserError>) {
        let (resource, mistakes) = match parser::parse_runtime(source.to_owned()) {
            Ok(resource) => (resource, Vec::new()),
            Err((resource, mistakes)) => (resource, mistakes),
        };
        let (mut messages, mut terms) = (BTreeMap::new(), BTreeMap::new());
        for entry in resource.body {
            match entry {
                Entry::Message(message) => {
                    messages.insert(message.id.name.clone(), message);
                }
                Entry::Term(term) => {
                    terms.insert(term.id.name, term.value);
                }
                _ => {}
            }
        }
        (Self { language, locale, messages, terms }, mistakes)
    }

    /// Its language.
    #[cfg(target_arch = "wasm32")]
    pub fn language(&self) -> Language {
        self.language
    }

    /// What a message says, if the catalogue has it.
    pub fn value(&self, id: &str, arguments: Arguments<'_>) -> Option<String> {
        let pattern = self.messages.get(id)?.value.as_ref()?;
        Some(Resolution { catalogue: self, arguments, depth: 0 }.pattern(pattern))
    }

    /// A message's attributes, names and values, if the catalogue has the message.
    pub fn attributes(&self, id: &str) -> Option<Vec<(String, String)>> {
        let resolution = Resolution { catalogue: self, arguments: &[], depth: 0 };
        let attribute =
            |attribute: &Attribute<String>| (attribute.id.name.clone(), resolution.pattern(&attribute.value));
        Some(self.messages.get(id)?.attributes.iter().map(attribute).collect())
    }

    /// The parsed messages.
    #[cfg(test)]
    pub fn messages(&self) -> &BTreeMap<String, Message<String>> {
        &self.messages
    }
}

/// The resolution of a message with its parameters.
struct Resolution<'a> {
    catalogue: &'a Catalogue,
    arguments: Arguments<'a>,
    depth: usize,
}

impl Resolution<'_> {
    fn pattern(&self, pattern: &Pattern<String>) -> String {
        let mut text = String::new();
        for element in &pattern.elements {
            match element {
                PatternElement::TextElement { value } => text.push_str(value),
                PatternElement::Placeable { expression } => {
                    let isolates = self.catalogue.language.direction() == "rtl" && is_foreign(expression);
                    if isolates {
                        text.push(ISOLATE.0);
                    }
                    text.push_str(&self.expression(expression));
                    if isolates {
                        text.push(ISOLATE.1);
                    }
                }
            }
        }
        text
    }

    fn expression(&self, expression: &Expression<String>) -> String {
        match expression {
            Expression::Inline(inline) => self.inline(inline),
            Expression::Select { selector, variants } => {
                let selected = self.variant(selector, variants);
                selected.map_or_else(String::new, |variant| self.pattern(&variant.value))
            }
        }
    }

    /// The variant that the selector chooses: the one of that very number or text, or of the number's plural category, or
    /// the default.
    fn variant<'v>(
        &self,
        selector: &InlineExpression<String>,
        variants: &'v [Variant<String>],
    ) -> Option<&'v Variant<String>> {
        let value = match selector {
            InlineExpression::VariableReference { id } => self.argument(&id.name),
            _ => None,
        };
        let exact = variants.iter().find(|variant| match (&variant.key, value) {
            // Whole numbers only: parsing others would make the page larger by its tables.
            (VariantKey::NumberLiteral { value: key }, Some(Value::Number(number))) => {
                key.parse::<u32>().is_ok_and(|key| f64::from(key) == *number)
            }
            (VariantKey::Identifier { name }, Some(Value::Text(text))) => name == text,
            _ => false,
        });
        let by_category = || {
            let Some(Value::Number(number)) = value else { return None };
            let category = intl::format(&self.catalogue.locale, Formatter::Plural, &[], *number)?;
            variants.iter().find(|variant| matches!(&variant.key, VariantKey::Identifier { name } if *name == category))
        };
        exact.or_else(by_category).or_else(|| variants.iter().find(|variant| variant.default))
    }

    fn inline(&self, inline: &InlineExpression<String>) -> String {
        match inline {
            InlineExpression::StringLiteral { value } => unicode::unescape_unicode_to_string(value).into_owned(),
            InlineExpression::NumberLiteral { value } => value.clone(),
            InlineExpression::VariableReference { id } => match self.argument(&id.name) {
                Some(Value::Text(text)) => text.clone(),
                Some(Value::Number(number)) => self.format(Formatter::Number, &[], *number),
                None => format!("{{${}}}", id.name),
            },
            InlineExpression::FunctionReference { id, arguments } => self.function(&id.name, arguments),
            InlineExpression::MessageReference { id, attribute: None } => {
                let referred = self.catalogue.messages.get(&id.name).and_then(|message| message.value.as_ref());
                self.referred(referred, &id.name)
            }
            InlineExpression::TermReference { id, attribute: None, .. } => {
                self.referred(self.catalogue.terms.get(&id.name), &id.name)
            }
            InlineExpression::MessageReference { id, .. } | InlineExpression::TermReference { id, .. } => {
                format!("{{{}}}", id.name)
            }
            InlineExpression::Placeable { expression } => self.expression(expression),
        }
    }

    fn referred(&self, pattern: Option<&Pattern<String>>, name: &str) -> String {
        match pattern {
            Some(pattern) if self.depth < MAX_DEPTH => Resolution { depth: self.depth + 1, ..*self }.pattern(pattern),
            _ => format!("{{{name}}}"),
        }
    }

    /// `NUMBER($name, …)` or `DATETIME($name, …)`, with the options of `Intl`.
    fn function(&self, name: &str, arguments: &CallArguments<String>) -> String {
        let formatter = match name {
            "NUMBER" => Formatter::Number,
            "DATETIME" => Formatter::Date,
            _ => return format!("{{{name}()}}"),
        };
        let value = match arguments.positional.first() {
            Some(InlineExpression::VariableReference { id }) => self.argument(&id.name),
            _ => None,
        };
        let Some(Value::Number(number)) = value else { return format!("{{{name}()}}") };
        let options: Vec<FormatOption<'_>> = arguments
            .named
            .iter()
            .filter_map(|argument| {
                let value = match &argument.value {
                    InlineExpression::StringLiteral { value } => FormatValue::Keyword(value),
                    InlineExpression::NumberLiteral { value } => FormatValue::Number(value.parse().ok()?),
                    _ => return None,
                };
                Some((argument.name.name.as_str(), value))
            })
            .collect();
        self.format(formatter, &options, *number)
    }

    fn format(&self, formatter: Formatter, options: &[FormatOption<'_>], number: f64) -> String {
        let formatted = intl::format(&self.catalogue.locale, formatter, options, number);
        formatted.unwrap_or_else(|| number.to_string())
    }

    fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.iter().find_map(|(argument, value)| (*argument == name).then_some(value))
    }
}

/// Whether the text of an expression comes from outside of the catalogue, and may have another direction.
fn is_foreign(expression: &Expression<String>) -> bool {
    matches!(
        expression,
        Expression::Inline(InlineExpression::VariableReference { .. } | InlineExpression::FunctionReference { .. })
    )
}
