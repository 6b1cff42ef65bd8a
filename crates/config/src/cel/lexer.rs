//! From text to tokens.

use super::Value;
use super::syntax::Problem;

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    Ident(String),
    Literal(Value),
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 26] = [
    "&&", "||", "<=", ">=", "==", "!=", ".?", "[?", "(", ")", "[", "]", "{", "}", ".", ",", ":",
    "?", "+", "-", "*", "/", "%", "<", ">", "!",
];

/// Words that are not names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, Problem> {
    let chars: Vec<char> = source.chars().collect();
    let mut lexer = Lexer { chars: &chars, at: 0 };
    let mut out = Vec::new();
    loop {
        lexer.space();
        let at = lexer.at;
        let kind = lexer.next()?;
        let end = kind == TokenKind::End;
        out.push(Token { at, kind });
        if end {
            return Ok(out);
        }
    }
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn space(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(c), _) if c.is_ascii_whitespace() => self.at += 1,
                (Some('/'), Some('/')) => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn problem<T>(&self, at: usize, message: impl Into<String>) -> Result<T, Problem> {
        Err(Problem { at, message: format!("Syntax error: {}", message.into()) })
    }

    fn next(&mut self) -> Result<TokenKind, Problem> {
        let Some(first) = self.peek(0) else { return Ok(TokenKind::End) };
        let point = first == '.' && self.peek(1).is_some_and(|c| c.is_ascii_digit());
        if first.is_ascii_digit() || point {
            return self.number();
        }
        if first == '"' || first == '\'' {
            return self.text(false, false);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return self.word();
        }
        for sign in SIGNS {
            if sign.chars().enumerate().all(|(n, c)| self.peek(n) == Some(c)) {
                self.at += sign.len();
                return Ok(TokenKind::Sign(sign));
            }
        }
        self.problem(self.at, format!("token recognition error at: '{first}'"))
    }

    fn word(&mut self) -> Result<TokenKind, Problem> {
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.at += 1;
        }
        let word: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
        if matches!(self.peek(0), Some('"' | '\'')) {
            let lower = word.to_ascii_lowercase();
            match lower.as_str() {
                "r" => return self.text(true, false),
                "b" => return self.text(false, true),
                "br" | "rb" => return self.text(true, true),
                _ => {}
            }
        }
        Ok(match word.as_str() {
            "true" => TokenKind::Literal(Value::Bool(true)),
            "false" => TokenKind::Literal(Value::Bool(false)),
            "null" => TokenKind::Literal(Value::Null),
            "in" => TokenKind::Sign("in"),
            word if RESERVED.contains(&word) => {
                return self.problem(start, format!("reserved identifier: {word}"));
            }
            _ => TokenKind::Ident(word),
        })
    }

    fn number(&mut self) -> Result<TokenKind, Problem> {
        let start = self.at;
        let hex = self.peek(0) == Some('0') && matches!(self.peek(1), Some('x' | 'X'));
        if hex {
            self.at += 2;
        }
        let mut float = false;
        while let Some(c) = self.peek(0) {
            let digit = if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
            let after_point = self.peek(1).is_some_and(|c| c.is_ascii_digit());
            if digit {
                self.at += 1;
            } else if !hex && c == '.' && !float && after_point {
                float = true;
                self.at += 1;
            } else if !hex && matches!(c, 'e' | 'E') {
                float = true;
                self.at += 1;
                if matches!(self.peek(0), Some('+' | '-')) {
                    self.at += 1;
                }
            } else {
                break;
            }
        }
        let text: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
        let unsigned = matches!(self.peek(0), Some('u' | 'U'));
        if unsigned {
            self.at += 1;
        }
        let (digits, radix) =
            if hex { (text.get(2..).unwrap_or(""), 16) } else { (text.as_str(), 10) };
        let value = if float {
            text.parse().ok().map(Value::Double)
        } else if unsigned {
            u64::from_str_radix(digits, radix).ok().map(Value::Uint)
        } else {
            match u64::from_str_radix(digits, radix) {
                Ok(number) => match i64::try_from(number) {
                    Ok(number) => Some(Value::Int(number)),
                    // Only the smallest integer may be this large, behind a minus sign.
                    Err(_) if number == 1 << 63 => Some(Value::Int(i64::MIN)),
                    Err(_) => None,
                },
                Err(_) => None,
            }
        };
        match value {
            Some(value) if !(float && unsigned) => Ok(TokenKind::Literal(value)),
            _ => self.problem(start, format!("invalid number: {text}")),
        }
    }

    fn text(&mut self, raw: bool, bytes: bool) -> Result<TokenKind, Problem> {
        let start = self.at;
        let quote = self.peek(0).unwrap_or('"');
        let triple = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let width = if triple { 3 } else { 1 };
        self.at += width;
        let mut out: Vec<u8> = Vec::new();
        loop {
            let Some(c) = self.peek(0) else {
                return self.problem(start, "the text is not closed");
            };
            if c == quote
                && (!triple || (self.peek(1) == Some(quote) && self.peek(2) == Some(quote)))
            {
                self.at += width;
                break;
            }
            if !triple && matches!(c, '\n' | '\r') {
                return self.problem(start, "the text is not closed");
            }
            self.at += 1;
            if c == '\\' && !raw {
                self.escape(&mut out, bytes)?;
            } else {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        if bytes {
            return Ok(TokenKind::Literal(Value::Bytes(out)));
        }
        match String::from_utf8(out) {
            Ok(text) => Ok(TokenKind::Literal(Value::String(text))),
            Err(_) => self.problem(start, "the text is not Unicode"),
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>, bytes: bool) -> Result<(), Problem> {
        let at = self.at - 1;
        let Some(c) = self.peek(0) else { return self.problem(at, "the escape is not complete") };
        self.at += 1;
        let digits = |count: usize, radix: u32, lexer: &Self| {
            let text: String = lexer.chars.get(lexer.at..lexer.at + count)?.iter().collect();
            u32::from_str_radix(&text, radix).ok()
        };
        let simple = match c {
            'a' => Some(7),
            'b' => Some(8),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            '\\' | '\'' | '"' | '`' | '?' => u8::try_from(c).ok(),
            _ => None,
        };
        if let Some(byte) = simple {
            out.push(byte);
            return Ok(());
        }
        let (code, width) = match c {
            'x' | 'X' => (digits(2, 16, self), 2),
            'u' if !bytes => (digits(4, 16, self), 4),
            'U' if !bytes => (digits(8, 16, self), 8),
            '0'..='3' => {
                self.at -= 1;
                (digits(3, 8, self), 3)
            }
            _ => (None, 0),
        };
        self.at += width;
        let Some(code) = code else { return self.problem(at, format!("invalid escape: \\{c}")) };
        match (bytes, u8::try_from(code), char::from_u32(code)) {
            (true, Ok(byte), _) => out.push(byte),
            (false, _, Some(c)) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => return self.problem(at, format!("invalid escape: \\{c}")),
        }
        Ok(())
    }
}
