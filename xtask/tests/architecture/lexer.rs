//! Cuts Rust and SQL into words, marks and strings, without comments. It sees into macros, where a parser of
//! Rust sees only tokens anyway.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or a keyword.
    Word,
    /// One mark, or `::`.
    Mark,
    /// The inside of a string literal.
    Text,
}

/// A piece of source and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    pub line: usize,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }
}

/// Which comments and quotes a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    Sql,
}

/// The tokens of `source` in order.
pub fn tokens(source: &str, language: Language) -> Vec<Token> {
    let mut cursor = Cursor { rest: source, line: 1, out: Vec::new() };
    while let Some(c) = cursor.rest.chars().next() {
        cursor.step(c, language);
    }
    cursor.out
}

struct Cursor<'a> {
    rest: &'a str,
    line: usize,
    out: Vec<Token>,
}

impl<'a> Cursor<'a> {
    fn step(&mut self, c: char, language: Language) {
        let line_comment = if language == Language::Rust { "//" } else { "--" };
        if self.rest.starts_with(line_comment) {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.take(end);
        } else if self.rest.starts_with("/*") {
            self.block_comment();
        } else if language == Language::Sql && c == '\'' {
            self.string(1, "'", false);
        } else if let Some((open, close)) = raw_string(self.rest, language) {
            self.string(open, &close, false);
        } else if let Some(open) = plain_string(self.rest, language) {
            self.string(open, "\"", true);
        } else if c == '\'' {
            self.quote();
        } else if c.is_alphabetic() || c == '_' {
            if self.rest.starts_with("r#") {
                self.take(2);
            }
            let end = self.word_len();
            self.push(Kind::Word, end);
        } else if c.is_ascii_digit() {
            let end = self.word_len();
            self.take(end);
        } else if self.rest.starts_with("::") {
            self.push(Kind::Mark, 2);
        } else if c.is_whitespace() {
            self.take(c.len_utf8());
        } else {
            self.push(Kind::Mark, c.len_utf8());
        }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn push(&mut self, kind: Kind, bytes: usize) {
        let line = self.line;
        let text = self.take(bytes.max(1)).to_owned();
        self.out.push(Token { kind, text, line });
    }

    fn word_len(&self) -> usize {
        self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len())
    }

    /// Rust nests block comments.
    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
            } else {
                let Some(c) = self.rest.chars().next() else { return };
                self.take(c.len_utf8());
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self, open: usize, close: &str, escapes: bool) {
        self.take(open);
        let mut end = 0;
        let bytes = self.rest.as_bytes();
        while end < bytes.len() && !self.rest.as_bytes()[end..].starts_with(close.as_bytes()) {
            end += if escapes && bytes[end] == b'\\' { 2 } else { 1 };
        }
        self.push_text(end.min(bytes.len()));
        self.take(close.len());
    }

    fn push_text(&mut self, bytes: usize) {
        let line = self.line;
        let text = self.take(bytes).to_owned();
        self.out.push(Token { kind: Kind::Text, text, line });
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) {
        self.take(1);
        let mut chars = self.rest.chars();
        let (first, second) = (chars.next(), chars.next());
        if first == Some('\\') {
            self.take(1);
            let escaped = self.rest.chars().next().map_or(0, char::len_utf8);
            self.take(escaped);
            let end = self.rest.find('\'').map_or(self.rest.len(), |i| i + 1);
            self.take(end);
        } else if second == Some('\'') {
            self.take(first.map_or(0, char::len_utf8) + 1);
        } else {
            let end = self.word_len();
            self.take(end);
        }
    }
}

/// Length of the opening and the closing mark of a raw string that begins here.
fn raw_string(rest: &str, language: Language) -> Option<(usize, String)> {
    if language != Language::Rust {
        return None;
    }
    let prefix = ["br", "cr", "r"].into_iter().find(|p| rest.starts_with(p))?;
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then(|| {
        let close = format!("\"{}", "#".repeat(hashes));
        (prefix.len() + hashes + 1, close)
    })
}

fn plain_string(rest: &str, language: Language) -> Option<usize> {
    let prefixes: &[&str] = if language == Language::Rust { &["\"", "b\"", "c\""] } else { &[] };
    prefixes.iter().find(|p| rest.starts_with(*p)).map(|p| p.len())
}

#[test]
fn comments_strings_and_lifetimes_hold_no_words() {
    let source = "// gate\n/* a /* b */ gate */ fn f<'gate>(c: char) { '\\'' ; 'g'; r#\"gate\"#; \"\\\"gate\" }";
    let words: Vec<String> = tokens(source, Language::Rust)
        .into_iter()
        .filter(|t| t.kind == Kind::Word)
        .map(|t| t.text)
        .collect();
    assert_eq!(words, ["fn", "f", "c", "char"]);
}

#[test]
fn lines_are_counted_through_strings_and_comments() {
    let found = tokens("/*\n*/ \"a\nb\"\nend", Language::Rust);
    assert_eq!(found.last().map(|t| t.line), Some(4));
    let found = tokens("-- it's a comment\nselect 'gate' from \"t\"", Language::Sql);
    let words: Vec<&str> =
        found.iter().filter(|t| t.kind == Kind::Word).map(|t| t.text.as_str()).collect();
    assert_eq!(words, ["select", "from", "t"]);
}
