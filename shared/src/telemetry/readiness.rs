//! Which dependencies a program has, and whether it can do its work without the missing ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The dependencies of one program, by name. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    dependencies: Arc<Mutex<BTreeMap<&'static str, Known>>>,
}

#[derive(Debug, Clone)]
struct Known {
    need: Need,
    missing: Option<String>,
}

/// Whether a program is of use without a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it no request should be sent here.
    Required,
    /// Work goes on without it, only slower: the API accepts payments while the broker is down.
    Useful,
}

/// Tells [`Readiness`] about one dependency.
#[derive(Debug, Clone)]
pub struct Dependency {
    name: &'static str,
    readiness: Readiness,
}

/// What `/readyz` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether requests should be sent here.
    pub ready: bool,
    /// Every dependency, by name.
    pub dependencies: BTreeMap<&'static str, DependencyReport>,
}

/// One dependency in [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyReport {
    /// Whether it answers.
    pub up: bool,
    /// Whether readiness needs it.
    pub required: bool,
    /// What is wrong, when it doesn't answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Readiness {
    /// Nothing to depend on yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names a dependency. It is missing until it is said to be [up](Dependency::up).
    #[must_use]
    pub fn dependency(&self, name: &'static str, need: Need) -> Dependency {
        let missing = Some("not reached yet".to_owned());
        self.lock().insert(name, Known { need, missing });
        Dependency { name, readiness: self.clone() }
    }

    /// What is there and what is not.
    #[must_use]
    pub fn report(&self) -> Report {
        let dependencies: BTreeMap<_, _> = self
            .lock()
            .iter()
            .map(|(name, known)| {
                let report = DependencyReport {
                    up: known.missing.is_none(),
                    required: known.need == Need::Required,
                    reason: known.missing.clone(),
                };
                (*name, report)
            })
            .collect();
        let ready = dependencies.values().all(|dependency| dependency.up || !dependency.required);
        Report { ready, dependencies }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Known>> {
        // A panic elsewhere leaves the map whole: each change is one assignment.
        self.dependencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, name: &'static str, missing: Option<String>) {
        if let Some(known) = self.lock().get_mut(name) {
            known.missing = missing;
        }
    }
}

impl Dependency {
    /// It answers.
    pub fn up(&self) {
        self.readiness.set(self.name, None);
    }

    /// It doesn't, and why: for operators, so without secrets; it is masked all the same.
    pub fn down(&self, reason: impl std::fmt::Display) {
        let reason = super::mask::mask(&reason.to_string()).into_owned();
        self.readiness.set(self.name, Some(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_required_dependencies_decide_and_the_missing_one_is_named() {
        let readiness = Readiness::new();
        let postgres = readiness.dependency("postgres", Need::Required);
        let broker = readiness.dependency("rabbitmq", Need::Useful);
        assert!(!readiness.report().ready, "nothing is ready before it was reached");

        postgres.up();
        broker.down("amqp://naru:secret@broker refused");
        let report = readiness.report();
        assert!(report.ready);
        assert_eq!(
            serde_json::to_value(&report).unwrap(),
            serde_json::json!({
                "ready": true,
                "dependencies": {
                    "postgres": {"up": true, "required": true},
                    "rabbitmq": {"up": false, "required": false, "reason": "amqp://naru:[masked]@broker refused"},
                },
            })
        );

        postgres.down("connection refused");
        assert!(!readiness.report().ready);
    }
}
