//! Colours and glyphs by meaning. A state is always shown by glyph, word and colour, so that it is readable without
//! colours and without Unicode. No other module names a colour.
use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

/// The built-in themes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ThemeName {
    /// The terminal's own sixteen colours on its own background.
    #[default]
    Default,
    /// Blue and orange instead of green and red.
    ColourBlind,
    /// No colour: bold, reverse, underline and dim only.
    Mono,
}

/// What something on screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Plain text.
    Text,
    /// Less important.
    Muted,
    /// A heading.
    Title,
    /// The name of a key.
    Key,
    Ok,
    Pending,
    /// Needs attention.
    Warn,
    /// Wrong or dangerous.
    Danger,
    /// The row or button that is selected.
    Selected,
}

/// Maps meanings to styles and glyphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Theme {
    name: ThemeName,
    ascii: bool,
}

impl Theme {
    /// A theme; `ascii` keeps every glyph within ASCII.
    pub fn new(name: ThemeName, ascii: bool) -> Self {
        Self { name, ascii }
    }

    /// The style of a meaning.
    pub fn style(self, meaning: Meaning) -> Style {
        let base = Style::default();
        let plain = match meaning {
            Meaning::Text | Meaning::Ok | Meaning::Pending => base,
            Meaning::Muted => base.add_modifier(Modifier::DIM),
            Meaning::Title | Meaning::Key | Meaning::Warn => base.add_modifier(Modifier::BOLD),
            Meaning::Danger => base.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Meaning::Selected => base.add_modifier(Modifier::REVERSED | Modifier::BOLD),
        };
        match self.colour(meaning) {
            Some(colour) => plain.remove_modifier(Modifier::UNDERLINED).fg(colour),
            None => plain,
        }
    }

    fn colour(self, meaning: Meaning) -> Option<Color> {
        match (self.name, meaning) {
            (ThemeName::Mono, _) => None,
            (_, Meaning::Key) => Some(Color::Cyan),
            (ThemeName::Default, Meaning::Ok) => Some(Color::Green),
            (ThemeName::Default, Meaning::Pending | Meaning::Warn) => Some(Color::Yellow),
            (ThemeName::Default, Meaning::Danger) => Some(Color::Red),
            (ThemeName::ColourBlind, Meaning::Ok) => Some(Color::Blue),
            (ThemeName::ColourBlind, Meaning::Pending) => Some(Color::Cyan),
            (ThemeName::ColourBlind, Meaning::Warn | Meaning::Danger) => Some(Color::Indexed(208)),
            _ => None,
        }
    }

    /// The glyph in front of a state of this meaning.
    pub fn glyph(self, meaning: Meaning) -> &'static str {
        match (meaning, self.ascii) {
            (Meaning::Ok, false) => "✓",
            (Meaning::Ok, true) => "+",
            (Meaning::Pending, false) => "◷",
            (Meaning::Pending, true) => "~",
            (Meaning::Warn, _) => "!",
            (Meaning::Danger, false) => "✗",
            (Meaning::Danger, true) => "x",
            (Meaning::Selected, false) => "▶",
            (Meaning::Selected, true) => ">",
            (_, false) => "·",
            (_, true) => "-",
        }
    }

    /// A full and an empty cell of a bar.
    pub fn bar(self) -> (&'static str, &'static str) {
        if self.ascii { ("#", "-") } else { ("█", "░") }
    }

    /// An arrow between before and after.
    pub fn arrow(self) -> &'static str {
        if self.ascii { "->" } else { "→" }
    }

    /// The border, within ASCII if the theme is.
    pub fn border(self) -> ratatui::symbols::border::Set<'static> {
        if self.ascii {
            ratatui::symbols::border::Set {
                top_left: "+",
                top_right: "+",
                bottom_left: "+",
                bottom_right: "+",
                vertical_left: "|",
                vertical_right: "|",
                horizontal_top: "-",
                horizontal_bottom: "-",
            }
        } else {
            ratatui::symbols::border::PLAIN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEANINGS: [Meaning; 9] = [
        Meaning::Text,
        Meaning::Muted,
        Meaning::Title,
        Meaning::Key,
        Meaning::Ok,
        Meaning::Pending,
        Meaning::Warn,
        Meaning::Danger,
        Meaning::Selected,
    ];

    #[test]
    fn mono_names_no_colour_and_keeps_the_selection_visible() {
        let theme = Theme::new(ThemeName::Mono, false);
        for meaning in MEANINGS {
            let style = theme.style(meaning);
            assert!(style.fg.is_none() && style.bg.is_none(), "{meaning:?}");
        }
        let selected = theme.style(Meaning::Selected);
        assert!(selected.add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn ascii_themes_stay_in_ascii() {
        let theme = Theme::new(ThemeName::Default, true);
        for meaning in MEANINGS {
            assert!(theme.glyph(meaning).is_ascii());
        }
        assert!(theme.arrow().is_ascii() && theme.bar().0.is_ascii());
    }

    #[test]
    fn good_and_bad_never_share_a_colour() {
        for name in [ThemeName::Default, ThemeName::ColourBlind] {
            let theme = Theme::new(name, false);
            assert_ne!(theme.style(Meaning::Ok).fg, theme.style(Meaning::Danger).fg);
        }
    }
}
