//! `naru`, told where a test's Naru is.

use std::process::{Command, Stdio};

use super::Gateway;
use crate::{Account, run};

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; nothing when it was killed.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Gateway {
    /// Runs `naru` with these arguments to its end, with the variables that `cargo xtask up` writes down.
    pub async fn command_line(&self, arguments: &[&str]) -> Ended {
        self.command_line_without("", arguments).await
    }

    /// The same with one of the variables missing.
    ///
    /// # Panics
    /// When it can't be started.
    pub async fn command_line_without(&self, missing: &str, arguments: &[&str]) -> Ended {
        self.command_line_with(&[], missing, arguments).await
    }

    /// The same for the demo payer, who is this one.
    ///
    /// # Panics
    /// When it can't be started.
    pub async fn command_line_of(&self, payer: &Account, arguments: &[&str]) -> Ended {
        let variables = [("NARU_PAYER_EMAIL", payer.email.as_str()), ("NARU_PAYER_PASSWORD", &payer.password)];
        self.command_line_with(&variables, "", arguments).await
    }

    async fn command_line_with(&self, more: &[(&str, &str)], missing: &str, arguments: &[&str]) -> Ended {
        let mut naru = Command::new(run::programs().join("naru"));
        naru.env_clear().stdin(Stdio::null()).args(arguments);
        let variables = [
            ("NARU_API_URL", self.shop.url("")),
            ("NARU_SECRET_KEY", self.shop.secret_key.clone()),
            ("NARU_OPS_URL", self.operator.base().to_owned()),
            ("NARU_OPS_TOKEN", self.operator.token().to_owned()),
        ];
        naru.envs(variables.into_iter().filter(|(name, _)| *name != missing));
        naru.envs(more.iter().copied());
        let ended = tokio::task::spawn_blocking(move || naru.output()).await.expect("it does not panic");
        let ended = ended.expect("naru starts; `cargo build --workspace` builds it");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { code: ended.status.code(), stdout: text(&ended.stdout), stderr: text(&ended.stderr) }
    }
}
