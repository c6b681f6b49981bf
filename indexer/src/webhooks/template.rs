//! Message templates: text with fields in braces. Mistakes are found when the configuration is loaded,
//! not when a message is due. Field values can neither mention people nor format text.
use std::fmt::Write as _;

/// Longest template, characters.
const MAX_TEMPLATE_LEN: usize = 1_000;
/// Longest value of one field, characters.
const MAX_VALUE_LEN: usize = 160;
/// Longest message, characters: below the limit of the strictest known channel (Discord, 2,000).
const MAX_TEXT_LEN: usize = 1_900;

/// A value that a template can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Address of the program.
    Program,
    /// The operator's name for the program, else for the multisig, else the address.
    Name,
    /// Address of the proposal.
    Proposal,
    /// The proposal's number.
    Id,
    /// Earliest execution, or the end of a pause, as a date in UTC.
    Eta,
    /// Version after the upgrade, or the restored version after a rollback.
    Version,
    /// The signer: the operator's name for it, else the address.
    Actor,
    /// The transaction, in base58.
    Signature,
    /// Slot in which it happened.
    Slot,
    /// Address of the multisig.
    Multisig,
    /// What the proposal does, in words.
    What,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 11] = [
        Self::Program,
        Self::Name,
        Self::Proposal,
        Self::Id,
        Self::Eta,
        Self::Version,
        Self::Actor,
        Self::Signature,
        Self::Slot,
        Self::Multisig,
        Self::What,
    ];

    /// Its name between the braces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Name => "name",
            Self::Proposal => "proposal",
            Self::Id => "id",
            Self::Eta => "eta",
            Self::Version => "version",
            Self::Actor => "actor",
            Self::Signature => "signature",
            Self::Slot => "slot",
            Self::Multisig => "multisig",
            Self::What => "what",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Value(Field),
}

/// A valid template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<TemplatePart>);

impl Template {
    /// Parses `text`; `{{` and `}}` stand for single braces.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        if text.chars().count() > MAX_TEMPLATE_LEN {
            return Err(format!("is longer than {MAX_TEMPLATE_LEN} characters"));
        }
        let (mut parts, mut literal) = (vec![], String::new());
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            let doubled = rest.peek().is_some_and(|(_, next)| *next == c);
            match c {
                '{' | '}' if doubled => {
                    rest.next();
                    literal.push(c);
                }
                '{' => {
                    let name: String =
                        rest.by_ref().map(|(_, c)| c).take_while(|c| *c != '}').collect();
                    let closed = text.get(at..).is_some_and(|t| t.contains('}'));
                    if !closed || name.contains('{') {
                        return Err(format!(
                            "opens a brace at character {} that nothing closes; write {{{{ for a brace",
                            place(text, at)
                        ));
                    }
                    if !literal.is_empty() {
                        parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(TemplatePart::Value(field(&name)?));
                }
                '}' => {
                    return Err(format!(
                        "closes a brace at character {} that nothing opens; write }}}} for a brace",
                        place(text, at)
                    ));
                }
                // Line feeds are allowed, other control characters are not.
                '\n' => literal.push(c),
                c if c.is_control() => {
                    return Err(format!("has a control character at {}", place(text, at)));
                }
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(TemplatePart::Text(literal));
        }
        Ok(Self(parts))
    }

    /// The message with the `value` of each field, or a dash where there is none.
    #[must_use]
    pub fn fill(&self, value: impl Fn(Field) -> Option<String>) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                TemplatePart::Text(text) => out.push_str(text),
                TemplatePart::Value(field) => match value(*field) {
                    Some(value) => out.push_str(&sanitize(&value)),
                    None => out.push('-'),
                },
            }
        }
        cut(&out, MAX_TEXT_LEN)
    }
}

/// Number of the character that starts at byte `at`, from 1.
fn place(text: &str, at: usize) -> usize {
    text.get(..at).map_or(0, |t| t.chars().count()).saturating_add(1)
}

fn field(name: &str) -> Result<Field, String> {
    Field::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| {
        let mut known = String::new();
        for f in Field::ALL {
            // Writing to a string cannot fail.
            let _ = write!(known, " {{{}}}", f.name());
        }
        format!("names {{{}}}, which is no field; the fields are{known}", sanitize(name))
    })
}

/// `text` made safe as a field value: no mentions, no disguised links, no formatting, no invisible
/// characters, bounded length.
#[must_use]
pub fn sanitize(text: &str) -> String {
    let sanitized: String = text
        .chars()
        .map(|c| match c {
            '@' => '＠',
            '<' => '‹',
            '>' => '›',
            '[' => '(',
            ']' => ')',
            '`' => '\'',
            '*' | '~' | '|' | '\\' => ' ',
            c if is_unsafe(c) => ' ',
            c => c,
        })
        .collect();
    cut(&sanitized, MAX_VALUE_LEN)
}

/// Control characters, and those that reorder text or are invisible.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(most.saturating_sub(1)).collect();
            kept + "…"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(field: Field) -> Option<String> {
        (field != Field::Version).then(|| format!("<{}>", field.name()))
    }

    #[test]
    fn fields_are_filled_and_doubled_braces_are_braces() {
        let t = Template::parse("{id}: {{{name}}} to {version}\n{{x}}").unwrap();
        assert_eq!(t.fill(values), "‹id›: {‹name›} to -\n{x}");
    }

    #[test]
    fn parse_errors_name_the_position() {
        for (text, said) in [
            ("to {vresion}", "{vresion}"),
            ("to {", "opens a brace at character 4"),
            ("to {id", "opens a brace at character 4"),
            ("{a{id}", "opens a brace at character 1"),
            ("é}", "closes a brace at character 2"),
            ("{}", "{}"),
            ("{ id }", "{ id }"),
            (" \n", "is empty"),
            ("a\u{7}", "a control character at 2"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        assert!(Template::parse(&"x".repeat(1_001)).unwrap_err().contains("1000"));
        let known = Template::parse("{x}").unwrap_err();
        assert!(Field::ALL.iter().all(|f| known.contains(&format!("{{{}}}", f.name()))), "{known}");
    }

    #[test]
    fn values_cannot_mention_or_disguise_links() {
        let t = Template::parse("{name}").unwrap();
        let said = t.fill(|_| {
            Some("@everyone <!channel> <@&1> [safe](https://x) `a` **b**\u{202e}\u{200b}\n".into())
        });
        for bad in ['@', '<', '>', '[', ']', '`', '*', '\u{202e}', '\u{200b}', '\n'] {
            assert!(!said.contains(bad), "{bad:?} in {said}");
        }
        assert!(said.contains("＠everyone"), "{said}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail_later_or_grow(text in ".{0,80}", value in ".{0,4000}") {
            if let Ok(t) = Template::parse(&text) {
                let said = t.fill(|_| Some(value.clone()));
                prop_assert!(said.chars().count() <= MAX_TEXT_LEN);
            }
            prop_assert!(sanitize(&value).chars().count() <= MAX_VALUE_LEN);
            prop_assert!(!sanitize(&value).contains('@'));
        }
    }
}
