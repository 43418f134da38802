//! The catalogues against each other, against the code and against the markup.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{Expression, InlineExpression, Pattern, PatternElement};

use super::catalogue::Catalogue;
use super::language::Language;
use super::{attributes, set_catalogues, text, text_with, value};

const PAGES: [&str; 2] = ["index.html", "instructor.html"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn catalogue(language: Language) -> Catalogue {
    let path = root().join(format!("www/locales/{}.ftl", language.tag()));
    let (catalogue, mistakes) =
        Catalogue::parse(language, language.tag().to_owned(), &fs::read_to_string(&path).unwrap());
    assert!(mistakes.is_empty(), "{}: {mistakes:?}", path.display());
    catalogue
}

pub(super) fn use_language(language: Language) {
    set_catalogues(vec![catalogue(language), catalogue(Language::English)]);
}

/// What a message has: a value, parameters by name, children that it places, and attributes.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    has_value: bool,
    parameters: BTreeSet<String>,
    children: BTreeSet<String>,
    attributes: BTreeSet<String>,
}

fn shapes(catalogue: &Catalogue) -> BTreeMap<String, Shape> {
    let shape = |message: &fluent_syntax::ast::Message<String>| {
        let mut shape = Shape { has_value: message.value.is_some(), ..Shape::default() };
        let patterns = message.value.iter().chain(message.attributes.iter().map(|attribute| &attribute.value));
        for pattern in patterns {
            parameters(pattern, &mut shape.parameters);
        }
        let said = catalogue.value(&message.id.name, &[]).unwrap_or_default();
        shape.children = tags(&said).map(str::to_owned).collect();
        shape.attributes = message.attributes.iter().map(|attribute| attribute.id.name.clone()).collect();
        shape
    };
    catalogue.messages().iter().map(|(id, message)| (id.clone(), shape(message))).collect()
}

fn parameters(pattern: &Pattern<String>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        let PatternElement::Placeable { expression } = element else { continue };
        match expression {
            Expression::Inline(inline) => parameters_inline(inline, found),
            Expression::Select { selector, variants } => {
                parameters_inline(selector, found);
                variants.iter().for_each(|variant| parameters(&variant.value, found));
            }
        }
    }
}

fn parameters_inline(inline: &InlineExpression<String>, found: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.clone());
        }
        InlineExpression::FunctionReference { id, arguments } => {
            assert!(["NUMBER", "DATETIME"].contains(&id.name.as_str()), "there is no function {}", id.name);
            arguments.positional.iter().for_each(|argument| parameters_inline(argument, found));
        }
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
        other => panic!("{other:?} is not used in the catalogues so far: let this test follow it"),
    }
}

/// The names of the tags `<name>` in a text.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    text.split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .map(|(name, _)| name)
        .filter(|n| !n.starts_with('/'))
}

#[test]
fn every_language_has_the_same_messages_with_the_same_parameters() {
    let english = shapes(&catalogue(Language::English));
    for language in Language::ALL {
        let translated = shapes(&catalogue(language));
        let missing: Vec<&String> = english.keys().filter(|id| !translated.contains_key(*id)).collect();
        let additional: Vec<&String> = translated.keys().filter(|id| !english.contains_key(*id)).collect();
        assert!(missing.is_empty() && additional.is_empty(), "{language:?} lacks {missing:?}, and adds {additional:?}");
        for (id, shape) in &translated {
            assert_eq!(shape, &english[id], "{id} in {language:?}");
        }
    }
}

#[test]
fn plurals_that_are_told_apart_are_told_apart_in_full() {
    // What Unicode's plural rules can select, for whole numbers.
    let needed = [
        (Language::German, &["one", "other"][..]),
        (Language::Arabic, &["zero", "one", "two", "few", "many", "other"]),
    ];
    for (language, needed) in needed {
        let source = fs::read_to_string(root().join(format!("www/locales/{}.ftl", language.tag()))).unwrap();
        for select in source.split("->").skip(1) {
            let select = &select[..select.find("\n    }").expect("a select ends")];
            let keys: Vec<&str> = select.split('[').skip(1).filter_map(|rest| rest.split(']').next()).collect();
            assert_eq!(keys, needed, "{language:?}: {select}");
        }
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// String literals of a source without comments, each with its offset.
fn literals(source: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = source[at..].find('"').map(|start| at + start + 1) {
        let length = source[start..].find('"').expect("no literal of the words has an escaped quotation mark");
        found.push((start, &source[start..start + length]));
        at = start + length + 1;
    }
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root().join("src/page/words"), &mut files);
    let without_comments = |source: String| {
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    files.into_iter().map(|path| (path.clone(), without_comments(fs::read_to_string(&path).unwrap()))).collect()
}

/// Ids in the code: every literal of `page/words` with a hyphen.
fn ids_in_code() -> BTreeSet<String> {
    let sources = sources();
    let ids = sources.iter().flat_map(|(_, source)| literals(source)).map(|(_, literal)| literal);
    ids.filter(|literal| literal.contains('-') && !literal.contains(' ')).map(str::to_owned).collect()
}

#[test]
fn every_message_is_used_and_every_message_that_is_used_exists() {
    let mut used = ids_in_code();
    for page in PAGES {
        used.extend(elements(page).into_iter().filter_map(|element| element.id));
    }
    let exist: BTreeSet<String> = catalogue(Language::English).messages().keys().cloned().collect();
    let missing: Vec<&String> = used.difference(&exist).collect();
    let unused: Vec<&String> = exist.difference(&used).collect();
    assert!(missing.is_empty() && unused.is_empty(), "missing: {missing:?}; unused: {unused:?}");
}

#[test]
fn the_code_names_messages_in_its_words_alone() {
    let mut files = Vec::new();
    rust_files(&root().join("src/page"), &mut files);
    for path in files {
        let relative = path.strip_prefix(root().join("src/page")).unwrap();
        if !relative.starts_with("words") && !relative.starts_with("l10n") {
            let source = fs::read_to_string(&path).unwrap();
            assert!(!source.contains("l10n::text(\""), "{} names a message", relative.display());
        }
    }
}

#[test]
fn the_code_gives_messages_the_parameters_that_they_name() {
    let english = shapes(&catalogue(Language::English));
    let mut checked = 0;
    for (path, source) in sources() {
        for (at, _) in source.match_indices("text_with(") {
            let call = &source[at + "text_with(".len()..];
            let mut depth = 1;
            let end = call.find(|letter: char| {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                depth == 0
            });
            let call = &call[..end.expect("a call ends")];
            let literals = literals(call);
            // Without a literal first, the id is chosen by a `match` before.
            let Some((_, id)) = literals.first().filter(|(at, _)| call[..*at].trim() == "\"") else { continue };
            // Parameters in a variable are checked where they are shared: see the tests of `words`.
            if !call.contains("&[") {
                continue;
            }
            let given: BTreeSet<String> = literals[1..]
                .iter()
                .map(|(_, literal)| (*literal).to_owned())
                // The literal of a `format!` in a parameter's value.
                .filter(|literal| !literal.contains('{'))
                .collect();
            assert_eq!(given, english[*id].parameters, "{id} in {}", path.display());
            checked += 1;
        }
        for (at, _) in source.match_indices(" text(\"") {
            let id = literals(&source[at..])[0].1;
            assert!(english[id].parameters.is_empty(), "{id} in {} needs parameters", path.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "the calls are not found: {checked}");
}

/// An element with `data-l10n-id`, as the markup has it.
#[derive(Debug)]
struct Marked {
    /// The message's id; `None` for an element whose text has none.
    id: Option<String>,
    attributes: BTreeMap<String, String>,
    /// Its text, where a child element is `<name>text</name>`.
    text: String,
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

/// The elements of a page with `data-l10n-id`, and those with a text of their own that are in none. The markup is regular:
/// attributes in quotation marks, `<` only in tags, everything closed but void elements.
fn elements(page: &str) -> Vec<Marked> {
    const VOID: [&str; 4] = ["meta", "link", "img", "input"];
    let source = fs::read_to_string(root().join("www").join(page)).unwrap();
    let (mut open, mut found): (Vec<(String, Marked)>, Vec<Marked>) = (Vec::new(), Vec::new());
    for piece in source.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        let name = tag.split_whitespace().next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            let (opened, element) = open.pop().unwrap();
            assert_eq!(opened, name, "in {page}");
            // The text of a child belongs to the message of its parent.
            let child = element.attributes.get("data-l10n-name").cloned();
            match (child, open.last_mut()) {
                (Some(child), Some((_, parent))) => {
                    parent.text += &format!("<{child}>{}</{child}>", element.text.trim());
                }
                _ => found.push(element),
            }
        } else if !name.starts_with('!') {
            let names = ["aria-label", "placeholder", "title", "alt", "data-l10n-name", "lang"];
            let attributes =
                names.iter().filter_map(|name| Some(((*name).to_owned(), attribute(tag, name)?.to_owned())));
            let id = attribute(tag, "data-l10n-id").map(str::to_owned);
            let element = Marked { id, attributes: attributes.collect(), text: String::new() };
            if VOID.contains(&name) {
                found.push(element);
            } else {
                open.push((name.to_owned(), element));
            }
        }
        if let Some((_, element)) = open.last_mut() {
            element.text += &collapsed(text);
        }
    }
    found
}

/// The text with every run of white space as one space.
fn collapsed(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return if text.is_empty() { words } else { " ".to_owned() };
    }
    let space = |is: bool| if is { " " } else { "" };
    let (before, after) = (text.starts_with(char::is_whitespace), text.ends_with(char::is_whitespace));
    format!("{}{words}{}", space(before), space(after))
}

#[test]
fn the_markup_is_the_english_catalogue() {
    set_catalogues(vec![catalogue(Language::English)]);
    for page in PAGES {
        let mut compared = 0;
        for element in elements(page) {
            let Some(id) = &element.id else {
                // Placeholders of values, the languages' own names, and what is shown without any script.
                let text = element.text.trim();
                let is_exempt = element.attributes.contains_key("lang")
                    || text.chars().all(|letter| !letter.is_alphabetic())
                    || text.ends_with("needs JavaScript and WebAssembly.");
                assert!(is_exempt, "{page}: {text:?} has no data-l10n-id");
                for name in ["aria-label", "title"] {
                    assert!(!element.attributes.contains_key(name), "{page}: {element:?} has no data-l10n-id");
                }
                continue;
            };
            for (name, text) in attributes(id) {
                assert_eq!(element.attributes.get(&name), Some(&text), "{page}: {id}.{name}");
            }
            let Some(mut said) = value(id) else { continue };
            // Where the message leaves a child as it is, the markup's value is a placeholder such as 0.
            let mut text = element.text.trim().to_owned();
            for child in tags(&said.clone()) {
                let inner = |text: &str| {
                    let (_, rest) = text.split_once(&format!("<{child}>"))?;
                    Some(rest.split_once("</")?.0.to_owned())
                };
                let shown = inner(&text).unwrap_or_else(|| panic!("{page}: {id} has no child {child}"));
                if inner(&said).is_some_and(|words| words.is_empty()) {
                    text = text.replacen(&format!("<{child}>{shown}<"), &format!("<{child}><"), 1);
                }
            }
            said = said.trim().to_owned();
            assert_eq!(text, said, "{page}: {id}");
            compared += 1;
        }
        assert!(compared > 30, "{page}: the elements are not found");
    }
}

#[test]
fn what_is_missing_falls_back_to_english_and_then_to_its_id() {
    let parse = |language, source| Catalogue::parse(language, "de".to_owned(), source);
    let (german, mistakes) = parse(Language::German, "a-b = Hallo\nbroken = { \n");
    assert_eq!(mistakes.len(), 1);
    let (english, _) =
        parse(Language::English, "a-b = Hello\nbroken = whole\nc-d = { $x } of { c-e }\nc-e = { c-d }\n");
    set_catalogues(vec![german, english]);
    assert_eq!(text("a-b"), "Hallo");
    assert_eq!(text("broken"), "whole");
    assert_eq!(text("nowhere"), "nowhere");
    // A parameter that is missing and a circle end, and are seen.
    assert!(text("c-d").starts_with("{$x} of {$x} of"));
    assert!(text("c-d").ends_with("{c-e}"));
}

#[test]
fn parameters_are_isolated_from_right_to_left_text_only() {
    use_language(Language::English);
    assert_eq!(text_with("origin-round", &[("round", "7".into())]), "round 7");
    use_language(Language::Arabic);
    assert_eq!(text_with("origin-round", &[("round", "7".into())]), "الجولة \u{2068}7\u{2069}");
}

#[test]
fn arabic_counts_in_six_ways() {
    use_language(Language::Arabic);
    let said = |clips: u32| {
        let arguments =
            [("clips", clips.into()), ("step", 1_u32.into()), ("steps", 2_u32.into()), ("loss", 0.5_f64.into())];
        text_with("training-progress", &arguments)
    };
    for (clips, words) in [(1, "مقطع واحد:"), (2, "مقطعين:"), (7, "مقاطع:"), (11, "مقطعًا:"), (100, "مقطع:")]
    {
        assert!(said(clips).contains(words), "{}", said(clips));
    }
}
