//! The expression language of selectors and conditions (CEL).
//!
//! [`check`] compiles an expression and checks its type against an [`Environment`]; [`Program`]
//! evaluates it. Expressions cannot loop without a list to go through, and evaluation stops after a
//! bounded number of steps, so an expression of a user can neither hang nor exhaust a node.

mod checker;
mod environment;
mod eval;
mod functions;
mod lexer;
mod parser;
mod syntax;
mod types;
mod value;

pub use environment::{DISK, Environment, LINK, VOLUME};
pub use eval::EvalError;
pub(crate) use eval::glob;
pub use types::{Object, Type};
pub use value::Value;

use std::collections::BTreeMap;

/// Why an expression does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.shown())]
pub struct CompileError {
    /// What is wrong.
    pub message: String,
    /// The line, from one.
    pub line: usize,
    /// The column in characters, from one.
    pub column: usize,
    /// The line's text.
    pub text: String,
}

impl CompileError {
    fn at(source: &str, offset: usize, message: String) -> Self {
        let before: String = source.chars().take(offset).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        let text = source.lines().nth(line - 1).unwrap_or_default().to_owned();
        Self { message, line, column, text }
    }

    fn shown(&self) -> String {
        let dots = ".".repeat(self.column - 1);
        format!(
            "ERROR: <input>:{}:{}: {}\n | {}\n | {dots}^",
            self.line, self.column, self.message, self.text
        )
    }
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Program {
    root: syntax::Expr,
    environment: Environment,
    /// The type of the result.
    pub result: Type,
}

impl Program {
    /// Compiles an expression.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(source: &str, environment: Environment) -> Result<Self, CompileError> {
        let error =
            |problem: syntax::Problem| CompileError::at(source, problem.at, problem.message);
        let tokens = lexer::tokens(source).map_err(error)?;
        let root = parser::parse(tokens).map_err(error)?;
        let result = checker::check(&root, environment).map_err(error)?;
        Ok(Self { root, environment, result })
    }

    /// Evaluates the expression with values for the environment's variables.
    ///
    /// # Errors
    /// When a value is missing, a number overflows or the steps run out.
    pub fn eval(&self, variables: &BTreeMap<String, Value>) -> Result<Value, EvalError> {
        eval::eval(&self.root, self.environment, variables)
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// As for [`Program::eval`].
    pub fn matches(&self, variables: &BTreeMap<String, Value>) -> Result<bool, EvalError> {
        match self.eval(variables)? {
            Value::Bool(value) => Ok(value),
            other => Err(EvalError(format!("the condition gave {other:?} instead of a bool"))),
        }
    }
}

/// Compiles an expression and wants a result of a type.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(source: &str, environment: Environment, want: Type) -> Result<(), CompileError> {
    let program = Program::compile(source, environment)?;
    if program.result == want || program.result == Type::Dyn {
        return Ok(());
    }
    let message = format!("expression must give {want}, it gives {}", program.result);
    Err(CompileError::at(source, 0, message))
}

#[cfg(test)]
mod tests;
