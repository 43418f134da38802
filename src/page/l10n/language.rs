//! The languages, and the choice among them.

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Every message exists in it: the one to fall back to.
    English,
    /// Left to right, like English.
    German,
    /// Right to left.
    Arabic,
}

impl Language {
    /// All of them, in the order of the language switch.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::Arabic];

    /// Its BCP 47 tag, which names its catalogue, too.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Arabic => "ar",
        }
    }

    /// Its direction, as the attribute `dir` has it.
    pub fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German => "ltr",
            Self::Arabic => "rtl",
        }
    }

    /// The language of a BCP 47 tag such as `de-AT`, if it is one of ours.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// What was chosen before, or else the first of the browser's preferred languages that is one of ours, or else English.
    pub fn choose(saved: Option<&str>, preferred: &[String]) -> Self {
        let preferred = preferred.iter().map(String::as_str);
        saved.into_iter().chain(preferred).find_map(Self::of_tag).unwrap_or(Self::English)
    }

    /// The tag for numbers and dates: the browser's own for this language, with its region (`en-GB`), if there is one.
    pub fn locale(self, preferred: &[String]) -> String {
        let regional = preferred.iter().find(|tag| Self::of_tag(tag) == Some(self));
        regional.cloned().unwrap_or_else(|| self.tag().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn the_saved_language_comes_first_then_the_browsers_then_english() {
        assert_eq!(Language::choose(Some("ar"), &tags(&["de-AT", "en"])), Language::Arabic);
        assert_eq!(Language::choose(None, &tags(&["fr", "de-AT", "en"])), Language::German);
        assert_eq!(Language::choose(Some("xx"), &tags(&["fr"])), Language::English);
        assert_eq!(Language::choose(None, &[]), Language::English);
    }

    #[test]
    fn numbers_and_dates_keep_the_browsers_region() {
        assert_eq!(Language::English.locale(&tags(&["de-AT", "en-GB", "en-US"])), "en-GB");
        assert_eq!(Language::Arabic.locale(&tags(&["de-AT"])), "ar");
    }
}
