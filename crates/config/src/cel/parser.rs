//! From tokens to the syntax tree.

use super::Value;
use super::lexer::{Token, TokenKind};
use super::syntax::{Expr, Kind, Macro, Problem};

/// The deepest nesting of an expression.
const DEPTH: usize = 64;

pub(crate) fn parse(tokens: Vec<Token>) -> Result<Expr, Problem> {
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let expr = parser.expr()?;
    match parser.peek() {
        Token { kind: TokenKind::End, .. } => Ok(expr),
        token => Err(parser.unexpected(&token)),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

fn call(at: usize, name: &str, args: Vec<Expr>) -> Expr {
    Expr { at, kind: Kind::Call { target: None, name: name.to_owned(), args } }
}

impl Parser {
    fn peek(&self) -> Token {
        let end = || Token { at: 0, kind: TokenKind::End };
        self.tokens.get(self.at).or(self.tokens.last()).cloned().unwrap_or_else(end)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().kind, TokenKind::Sign(found) if found == sign);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, sign: &str) -> Result<(), Problem> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&self.peek())) }
    }

    fn unexpected(&self, token: &Token) -> Problem {
        let shown = match &token.kind {
            TokenKind::Ident(name) => format!("'{name}'"),
            TokenKind::Literal(value) => value.shown(),
            TokenKind::Sign(sign) => format!("'{sign}'"),
            TokenKind::End => "<EOF>".to_owned(),
        };
        Problem { at: token.at, message: format!("Syntax error: mismatched input {shown}") }
    }

    fn expr(&mut self) -> Result<Expr, Problem> {
        self.depth += 1;
        if self.depth > DEPTH {
            let message = format!("expression recursion limit exceeded: {DEPTH}");
            return Err(Problem { at: self.peek().at, message });
        }
        let condition = self.or()?;
        let at = self.peek().at;
        let expr = if self.take("?") {
            let yes = self.or()?;
            self.want(":")?;
            let no = self.expr()?;
            Expr { at, kind: Kind::Choice(condition.into(), yes.into(), no.into()) }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn or(&mut self) -> Result<Expr, Problem> {
        let mut left = self.and()?;
        loop {
            let at = self.peek().at;
            if !self.take("||") {
                return Ok(left);
            }
            let right = self.and()?;
            left = Expr { at, kind: Kind::Or(left.into(), right.into()) };
        }
    }

    fn and(&mut self) -> Result<Expr, Problem> {
        let mut left = self.binary(0)?;
        loop {
            let at = self.peek().at;
            if !self.take("&&") {
                return Ok(left);
            }
            let right = self.binary(0)?;
            left = Expr { at, kind: Kind::And(left.into(), right.into()) };
        }
    }

    /// Comparisons, sums, products: each level binds closer than the one before.
    fn binary(&mut self, level: usize) -> Result<Expr, Problem> {
        const LEVELS: [&[(&str, &str)]; 3] = [
            &[
                ("<=", "_<=_"),
                (">=", "_>=_"),
                ("<", "_<_"),
                (">", "_>_"),
                ("==", "_==_"),
                ("!=", "_!=_"),
                ("in", "@in"),
            ],
            &[("+", "_+_"), ("-", "_-_")],
            &[("*", "_*_"), ("/", "_/_"), ("%", "_%_")],
        ];
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        'next: loop {
            let at = self.peek().at;
            for (sign, name) in *operators {
                if self.take(sign) {
                    let right = self.binary(level + 1)?;
                    left = call(at, name, vec![left, right]);
                    continue 'next;
                }
            }
            return Ok(left);
        }
    }

    fn unary(&mut self) -> Result<Expr, Problem> {
        let at = self.peek().at;
        let mut signs = Vec::new();
        loop {
            if self.take("!") {
                signs.push("!_");
            } else if self.take("-") {
                signs.push("-_");
            } else {
                break;
            }
        }
        let mut expr = self.member()?;
        for name in signs.into_iter().rev() {
            expr = match (&expr.kind, name) {
                (Kind::Literal(Value::Int(number)), "-_") => {
                    Expr { at, kind: Kind::Literal(Value::Int(number.wrapping_neg())) }
                }
                (Kind::Literal(Value::Double(number)), "-_") => {
                    Expr { at, kind: Kind::Literal(Value::Double(-number)) }
                }
                _ => call(at, name, vec![expr]),
            };
        }
        // The magnitude of the smallest integer is an integer only behind a minus sign.
        Ok(expr)
    }

    fn member(&mut self) -> Result<Expr, Problem> {
        let mut expr = self.primary()?;
        loop {
            let at = self.peek().at;
            if self.take(".") {
                let field = self.ident()?;
                if self.take("(") {
                    let args = self.list(")")?;
                    expr = self.method(at, expr, field, args)?;
                } else {
                    expr = Expr {
                        at,
                        kind: Kind::Select { operand: expr.into(), field, optional: false },
                    };
                }
            } else if self.take(".?") {
                let field = self.ident()?;
                expr =
                    Expr { at, kind: Kind::Select { operand: expr.into(), field, optional: true } };
            } else if self.take("[") || self.take("[?") {
                let optional = matches!(
                    self.tokens.get(self.at - 1).map(|token| &token.kind),
                    Some(TokenKind::Sign("[?"))
                );
                let index = self.expr()?.into();
                self.want("]")?;
                expr = Expr { at, kind: Kind::Index { operand: expr.into(), index, optional } };
            } else {
                return Ok(expr);
            }
        }
    }

    /// A method, or a macro that looks like one.
    fn method(
        &mut self,
        at: usize,
        target: Expr,
        name: String,
        mut args: Vec<Expr>,
    ) -> Result<Expr, Problem> {
        let kind = match (name.as_str(), args.len()) {
            ("all", 2) => Some(Macro::All),
            ("exists", 2) => Some(Macro::Exists),
            ("exists_one" | "existsOne", 2) => Some(Macro::ExistsOne),
            ("filter", 2) => Some(Macro::Filter),
            ("map", 2 | 3) => Some(Macro::Map),
            _ => None,
        };
        let Some(kind) = kind else {
            return Ok(Expr { at, kind: Kind::Call { target: Some(target.into()), name, args } });
        };
        let body = args.split_off(1);
        match args.pop() {
            Some(Expr { kind: Kind::Ident(variable), .. }) => {
                let range = target.into();
                Ok(Expr { at, kind: Kind::Macro { kind, range, variable, body } })
            }
            other => {
                let at = other.map_or(at, |expr| expr.at);
                Err(Problem { at, message: "argument must be a simple name".to_owned() })
            }
        }
    }

    fn ident(&mut self) -> Result<String, Problem> {
        match self.peek() {
            Token { kind: TokenKind::Ident(name), .. } => {
                self.at += 1;
                Ok(name)
            }
            token => Err(self.unexpected(&token)),
        }
    }

    fn list(&mut self, close: &str) -> Result<Vec<Expr>, Problem> {
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.expr()?);
            if !self.take(",") {
                self.want(close)?;
                break;
            }
        }
        Ok(items)
    }

    fn primary(&mut self) -> Result<Expr, Problem> {
        let token = self.peek();
        let at = token.at;
        match token.kind {
            TokenKind::Literal(value) => {
                self.at += 1;
                Ok(Expr { at, kind: Kind::Literal(value) })
            }
            TokenKind::Ident(name) => {
                self.at += 1;
                if !self.take("(") {
                    return Ok(Expr { at, kind: Kind::Ident(name) });
                }
                let mut args = self.list(")")?;
                if name == "has" && args.len() == 1 {
                    return match args.pop().map(|expr| expr.kind) {
                        Some(Kind::Select { operand, field, .. }) => {
                            Ok(Expr { at, kind: Kind::Has { operand, field } })
                        }
                        _ => Err(Problem {
                            at,
                            message: "invalid argument to has() macro".to_owned(),
                        }),
                    };
                }
                Ok(Expr { at, kind: Kind::Call { target: None, name, args } })
            }
            TokenKind::Sign("(") => {
                self.at += 1;
                let expr = self.expr()?;
                self.want(")")?;
                Ok(expr)
            }
            TokenKind::Sign("[") => {
                self.at += 1;
                Ok(Expr { at, kind: Kind::List(self.list("]")?) })
            }
            TokenKind::Sign("{") => {
                self.at += 1;
                let mut entries = Vec::new();
                while !self.take("}") {
                    let key = self.expr()?;
                    self.want(":")?;
                    entries.push((key, self.expr()?));
                    if !self.take(",") {
                        self.want("}")?;
                        break;
                    }
                }
                Ok(Expr { at, kind: Kind::Map(entries) })
            }
            TokenKind::Sign(".") => {
                self.at += 1;
                let name = self.ident()?;
                Ok(Expr { at, kind: Kind::Ident(name) })
            }
            _ => Err(self.unexpected(&token)),
        }
    }
}
