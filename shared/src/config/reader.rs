//! Reading variables while collecting what is wrong with them.

use std::fmt;

/// How the environment is asked: a variable's value, or nothing when unset.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One variable of the environment, for documents, compose files and the tests that keep them true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What holds when it is unset; nothing when it must be set or may be absent.
    pub default: Option<&'static str>,
    /// Whether the program refuses to start without it.
    pub required: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it decides, in one line.
    pub about: &'static str,
}

impl Variable {
    /// A variable that must be set.
    #[must_use]
    pub const fn required(name: &'static str, about: &'static str) -> Self {
        Self { name, default: None, required: true, secret: false, about }
    }

    /// A variable that has a default.
    #[must_use]
    pub const fn defaulting(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self { name, default: Some(default), required: false, secret: false, about }
    }

    /// A variable that may be absent.
    #[must_use]
    pub const fn optional(name: &'static str, about: &'static str) -> Self {
        Self { name, default: None, required: false, secret: false, about }
    }

    /// The same, holding a secret.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

/// What is wrong with one variable. Never holds its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable's name.
    pub variable: &'static str,
    /// What is wrong and what would be right.
    pub what: String,
}

/// Everything that is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the environment is not as it should be:")?;
        for problem in &self.0 {
            write!(f, "\n  {} {}", problem.variable, problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Settings that belong together and are read together.
pub trait Concern: Sized {
    /// Every variable this concern reads.
    const VARIABLES: &'static [Variable];

    /// Reads it; nothing when something was wrong, which `reader` has noted.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// Reads this concern alone.
    ///
    /// # Errors
    /// Everything that is wrong with its variables.
    fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(lookup);
        let concern = Self::read(&mut reader);
        reader.finish(concern)
    }
}

/// Asks the lookup and keeps the list of problems.
pub struct Reader<'a> {
    lookup: Lookup<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// A reader with no problems yet.
    #[must_use]
    pub const fn new(lookup: Lookup<'a>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    /// The variable's text, or its default, trimmed. A required variable that is unset is a problem.
    pub fn text(&mut self, variable: &Variable) -> Option<String> {
        let found = (self.lookup)(variable.name).filter(|value| !value.trim().is_empty());
        let text = found.or_else(|| variable.default.map(str::to_owned));
        if text.is_none() && variable.required {
            self.problem(variable, "must be set");
        }
        text.map(|text| text.trim().to_owned())
    }

    /// The variable through `parse`, whose error says what would be right without repeating what was there.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(variable)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(variable, &error.to_string());
                None
            }
        }
    }

    /// Notes that `variable` is wrong.
    pub fn problem(&mut self, variable: &Variable, what: &str) {
        self.problems.push(Problem { variable: variable.name, what: what.to_owned() });
    }

    /// How many problems were noted.
    pub(super) const fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// The value, when nothing at all was wrong.
    ///
    /// # Errors
    /// All problems noted.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(ConfigError(self.problems)),
        }
    }
}
