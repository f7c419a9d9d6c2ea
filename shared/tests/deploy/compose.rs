//! `docker-compose.yml` as the tests see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};
use naru_shared::config::{ApiConfig, CliConfig, WorkerConfig};
use serde_yaml_ng::{Mapping, Value};

/// What `deploy/secrets.sh` would write for a password.
const SAMPLE_PASSWORD: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";
/// And for the master secret.
const SAMPLE_MASTER: &str = "q83vEjRWeJCrze8SNFZ4kJq7zN3u/wARIjNEVWZ3iJkQ";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn yaml(path: &str) -> Value {
    let mut value: Value = serde_yaml_ng::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    value.apply_merge().unwrap();
    value
}

/// A program of ours. What each reads is asked of the very code that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Api,
    Worker,
    Simulator,
    Cli,
}

/// A variable that a program reads.
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) secret: bool,
}

impl Program {
    pub(crate) const ALL: [Self; 4] = [Self::Api, Self::Worker, Self::Simulator, Self::Cli];

    pub(crate) fn variables(self) -> Vec<Variable> {
        let ours = match self {
            Self::Api => ApiConfig::variables(),
            Self::Worker => WorkerConfig::variables(),
            Self::Cli => CliConfig::variables(),
            Self::Simulator => {
                let command = naru_simulator::config::Config::command();
                let read = command.get_arguments().filter_map(|argument| {
                    let name = argument.get_env()?.to_str().unwrap().to_owned();
                    Some(Variable { name, required: argument.is_required_set(), secret: false })
                });
                return read.collect();
            }
        };
        let ours = ours.into_iter();
        ours.map(|v| Variable { name: v.name.to_owned(), required: v.required, secret: v.secret }).collect()
    }
}

/// The simulator's configuration, from an environment of a container.
pub(crate) fn simulator_config(
    environment: &BTreeMap<String, String>,
) -> Result<naru_simulator::config::Config, clap::Error> {
    let command = naru_simulator::config::Config::command();
    let given = command.get_arguments().filter_map(|argument| {
        let value = environment.get(argument.get_env()?.to_str()?)?;
        Some(format!("--{}={value}", argument.get_long()?))
    });
    naru_simulator::config::Config::try_parse_from(std::iter::once("naru-simulator".to_owned()).chain(given))
}

pub(crate) struct Service {
    pub(crate) name: String,
    body: Mapping,
}

pub(crate) fn compose() -> Value {
    yaml("docker-compose.yml")
}

pub(crate) fn services() -> Vec<Service> {
    let compose = compose();
    let services = compose["services"].as_mapping().unwrap();
    services.iter().map(|(name, body)| Service { name: text(name), body: body.as_mapping().unwrap().clone() }).collect()
}

pub(crate) fn service(name: &str) -> Service {
    services().into_iter().find(|service| service.name == name).unwrap_or_else(|| panic!("no service {name}"))
}

impl Service {
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.body.get(key)
    }

    /// The program of ours that it runs.
    pub(crate) fn program(&self) -> Option<Program> {
        match self.get("build")?["target"].as_str()? {
            "api" => Some(Program::Api),
            "worker" => Some(Program::Worker),
            "simulator" => Some(Program::Simulator),
            "cli" => Some(Program::Cli),
            other => panic!("{other} is no program of ours"),
        }
    }

    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let Some(environment) = self.get("environment") else { return BTreeMap::new() };
        environment.as_mapping().unwrap().iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// The environment as a container would have it: secrets as `deploy/secrets.sh` writes them, the rest unset.
    pub(crate) fn environment_at_start(&self) -> BTreeMap<String, String> {
        self.environment().into_iter().map(|(name, value)| (name, substituted(&value))).collect()
    }

    /// A list of strings, empty when absent.
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        self.get(key).map_or_else(Vec::new, |value| value.as_sequence().unwrap().iter().map(text).collect())
    }

    /// `image` before and after the colon.
    pub(crate) fn image(&self) -> (String, String) {
        let image = text(self.get("image").unwrap());
        let (name, tag) = image.split_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
        (name.to_owned(), tag.to_owned())
    }

    pub(crate) fn health_check(&self) -> Option<Vec<String>> {
        Some(self.get("healthcheck")?["test"].as_sequence().unwrap().iter().map(text).collect())
    }
}

/// One `${NAME…}` of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) name: String,
    /// What follows the name: `:?message`, `:-default`, or nothing.
    pub(crate) rest: String,
}

/// Every placeholder of a text, `$$` being none.
pub(crate) fn placeholders(text: &str) -> Vec<Placeholder> {
    let text = text.replace("$$", "");
    let opened = text.split("${").skip(1);
    opened
        .map(|tail| {
            let inner = tail.split_once('}').unwrap().0;
            let end = inner.find(':').unwrap_or(inner.len());
            Placeholder { name: inner[..end].to_owned(), rest: inner[end..].to_owned() }
        })
        .collect()
}

fn substituted(value: &str) -> String {
    let mut result = value.to_owned();
    for Placeholder { name, rest } in placeholders(value) {
        let with = match (rest.strip_prefix(":-"), name.as_str()) {
            (Some(default), _) => default,
            (None, "NARU_MASTER_SECRET") => SAMPLE_MASTER,
            (None, _) => SAMPLE_PASSWORD,
        };
        result = result.replace(&format!("${{{name}{rest}}}"), with);
    }
    result
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => panic!("not a text: {value:?}"),
    }
}

/// Whole seconds of `20s` or `2m`.
pub(crate) fn seconds(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("{text} is no duration"));
    match unit {
        "s" => number,
        "m" => number * 60,
        _ => panic!("{text} is no duration"),
    }
}
