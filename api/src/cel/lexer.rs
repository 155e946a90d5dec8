//! Text to tokens (CEL language definition, section "Syntax").

use super::error::Issue;

/// A token and where it starts, in characters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Ident(String),
    /// A name in backquotes, allowed after a dot.
    Quoted(String),
    Int(String),
    Uint(String),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Symbol(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ",", ".", "(", ")", "[", "]",
    "{", "}",
];

/// All tokens of a text, the last one being [`TokenKind::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, Issue> {
    let chars: Vec<char> = source.chars().collect();
    let mut lexer = Lexer { chars: &chars, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let kind = lexer.token()?;
        let done = kind == TokenKind::End;
        found.push(Token { kind, at });
        if done {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn skip_blanks(&mut self) {
        while self.at < self.chars.len() {
            match self.peek(0) {
                ' ' | '\t' | '\n' | '\r' | '\x0c' => self.at += 1,
                '/' if self.peek(1) == '/' => {
                    while self.at < self.chars.len() && self.peek(0) != '\n' {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, Issue> {
        if self.at >= self.chars.len() {
            return Ok(TokenKind::End);
        }
        if let Some(length) = self.string_prefix() {
            return self.string(length);
        }
        let first = self.peek(0);
        if first.is_ascii_digit() || (first == '.' && self.peek(1).is_ascii_digit()) {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return Ok(TokenKind::Ident(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_')));
        }
        if first == '`' {
            return self.quoted();
        }
        for symbol in SYMBOLS {
            if symbol.chars().enumerate().all(|(index, c)| self.peek(index) == c) {
                self.at += symbol.len();
                return Ok(TokenKind::Symbol(symbol));
            }
        }
        Err(Issue::new(self.at, format!("Syntax error: token recognition error at: '{first}'")))
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.at < self.chars.len() && wanted(self.peek(0)) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn quoted(&mut self) -> Result<TokenKind, Issue> {
        let start = self.at;
        self.at += 1;
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' '));
        if self.peek(0) != '`' || name.is_empty() {
            return Err(Issue::new(start, "Syntax error: token recognition error at: '`'"));
        }
        self.at += 1;
        Ok(TokenKind::Quoted(name))
    }

    fn number(&mut self) -> Result<TokenKind, Issue> {
        let start = self.at;
        if self.peek(0) == '0' && matches!(self.peek(1), 'x' | 'X') && self.peek(2).is_ascii_hexdigit() {
            self.at += 2;
            let digits = format!("0x{}", self.take_while(|c| c.is_ascii_hexdigit()));
            return Ok(self.integer(digits));
        }
        let mut text = self.take_while(|c| c.is_ascii_digit());
        let mut is_double = false;
        if self.peek(0) == '.' && self.peek(1).is_ascii_digit() {
            is_double = true;
            self.at += 1;
            text = format!("{text}.{}", self.take_while(|c| c.is_ascii_digit()));
        }
        let sign = usize::from(matches!(self.peek(1), '+' | '-'));
        if matches!(self.peek(0), 'e' | 'E') && self.peek(1 + sign).is_ascii_digit() {
            is_double = true;
            self.at += 1;
            let sign = if sign == 1 { self.peek(0).to_string() } else { String::new() };
            self.at += sign.len();
            text = format!("{text}e{sign}{}", self.take_while(|c| c.is_ascii_digit()));
        }
        if !is_double {
            return Ok(self.integer(text));
        }
        match text.parse() {
            Ok(number) => Ok(TokenKind::Double(number)),
            Err(_) => Err(Issue::new(start, "invalid double literal")),
        }
    }

    fn integer(&mut self, digits: String) -> TokenKind {
        if matches!(self.peek(0), 'u' | 'U') {
            self.at += 1;
            TokenKind::Uint(digits)
        } else {
            TokenKind::Int(digits)
        }
    }

    /// How many prefix letters (`r`, `b`) stand before a quote, if this is the start of a string.
    fn string_prefix(&self) -> Option<usize> {
        let is_quote = |ahead: usize| matches!(self.peek(ahead), '"' | '\'');
        match (self.peek(0).to_ascii_lowercase(), self.peek(1).to_ascii_lowercase()) {
            ('"' | '\'', _) => Some(0),
            ('r' | 'b', _) if is_quote(1) => Some(1),
            ('r', 'b') | ('b', 'r') if is_quote(2) => Some(2),
            _ => None,
        }
    }

    fn string(&mut self, prefix: usize) -> Result<TokenKind, Issue> {
        let start = self.at;
        let letters: String = self.chars[start..start + prefix].iter().collect::<String>().to_lowercase();
        let (raw, bytes) = (letters.contains('r'), letters.contains('b'));
        self.at += prefix;
        let quote = self.peek(0);
        let width = if self.peek(1) == quote && self.peek(2) == quote { 3 } else { 1 };
        self.at += width;
        let mut out = Vec::new();
        loop {
            if self.at >= self.chars.len() || (width == 1 && self.peek(0) == '\n') {
                let text: String = self.chars[start..self.at].iter().collect();
                return Err(Issue::new(start, format!("Syntax error: token recognition error at: '{text}'")));
            }
            if (0..width).all(|ahead| self.peek(ahead) == quote) {
                self.at += width;
                break;
            }
            if self.peek(0) == '\\' && !raw {
                self.escape(bytes, &mut out)?;
            } else {
                push_char(self.peek(0), &mut out);
                self.at += 1;
            }
        }
        if bytes {
            return Ok(TokenKind::Bytes(out));
        }
        String::from_utf8(out).map(TokenKind::String).map_err(|_| Issue::new(start, "invalid string literal"))
    }

    fn escape(&mut self, bytes: bool, out: &mut Vec<u8>) -> Result<(), Issue> {
        let start = self.at;
        let invalid = || Issue::new(start, "Syntax error: invalid escape sequence");
        let letter = self.peek(1);
        self.at += 2;
        let simple = match letter {
            'a' => Some(7),
            'b' => Some(8),
            'f' => Some(12),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(11),
            '\\' | '\'' | '"' | '`' | '?' => Some(letter as u8),
            _ => None,
        };
        if let Some(byte) = simple {
            out.push(byte);
            return Ok(());
        }
        let (digits, radix) = match letter {
            'x' | 'X' => (2, 16),
            'u' if !bytes => (4, 16),
            'U' if !bytes => (8, 16),
            '0'..='3' => {
                self.at -= 1;
                (3, 8)
            }
            _ => return Err(invalid()),
        };
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.peek(0).to_digit(radix).ok_or_else(invalid)?;
            code = code * radix + digit;
            self.at += 1;
        }
        match (bytes, u8::try_from(code)) {
            (true, Ok(byte)) => out.push(byte),
            (true, Err(_)) => return Err(invalid()),
            _ => push_char(char::from_u32(code).ok_or_else(invalid)?, out),
        }
        Ok(())
    }
}

fn push_char(c: char, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
}
