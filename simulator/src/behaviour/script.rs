//! Scripts: steps for the requests that match, so that tests side by side don't meet.

use serde::{Deserialize, Serialize};

use super::{Plan, Step};
use crate::company::{Call, Id, Method, Sight};

/// Steps for the requests that match, one each, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Script {
    /// Which requests.
    #[serde(rename = "match")]
    pub matches: Match,
    /// What to do with them.
    pub steps: Vec<Step>,
    /// What follows the last step.
    #[serde(default)]
    pub then: After,
}

/// Every member that is given must agree; none given matches every request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Match {
    /// The method of payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// The kind of request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// The merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_id: Option<Id>,
    /// The order; of inquiries and net-cancels, the original's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Id>,
    /// The card (account, phone, member); of all but approvals, the original's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Id>,
    /// The amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The request's reference or the original's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Id>,
}

/// What follows a script's last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// The script is gone; older scripts and the card decide.
    #[default]
    Default,
    /// The last step, for ever.
    RepeatLast,
}

impl Match {
    fn fits(&self, seen: &Sight) -> bool {
        self.method.is_none_or(|method| method == seen.method)
            && self.call.is_none_or(|call| call == seen.call)
            && agrees(self.merchant_id.as_ref(), seen.merchant_id.as_ref())
            && agrees(self.order_id.as_ref(), seen.order_id.as_ref())
            && agrees(self.token.as_ref(), seen.token.as_ref())
            && agrees(self.amount, seen.amount)
            && (agrees(self.reference.as_ref(), seen.reference.as_ref())
                || agrees(self.reference.as_ref(), seen.original_reference.as_ref()))
    }
}

fn agrees<T: PartialEq>(wanted: Option<T>, seen: Option<T>) -> bool {
    wanted.is_none() || wanted == seen
}

/// The scripts in force. Kept in memory only: a restarted simulator has none.
#[derive(Debug, Default)]
pub struct Scripts {
    added: u64,
    /// The newest last.
    scripts: Vec<Added>,
}

/// A script in force.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Added {
    /// 1, 2, 3 … since the start.
    pub id: u64,
    /// How many steps are used up.
    pub used: usize,
    /// The script.
    #[serde(flatten)]
    pub script: Script,
}

impl Scripts {
    /// Adds a script, which outranks all older ones. `Err` says what is wrong with it.
    pub fn add(&mut self, script: Script) -> Result<u64, &'static str> {
        if script.steps.is_empty() || script.steps.len() > 1_000 {
            return Err("steps must be 1 to 1000");
        }
        script.steps.iter().try_for_each(Step::check)?;
        self.added += 1;
        self.scripts.push(Added { id: self.added, used: 0, script });
        Ok(self.added)
    }

    /// Whether any request can match.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Uses up the next step of the newest script that matches.
    pub fn next(&mut self, seen: &Sight) -> Option<Plan> {
        let nth = self.scripts.iter().rposition(|added| added.script.matches.fits(seen))?;
        let added = self.scripts.get_mut(nth)?;
        let last = added.script.steps.len() - 1;
        let plan = added.script.steps.get(added.used.min(last)).map(Step::plan);
        added.used += 1;
        if added.used > last && added.script.then == After::Default {
            self.scripts.remove(nth);
        }
        plan
    }

    /// The scripts in force, the newest last.
    pub fn all(&self) -> &[Added] {
        &self.scripts
    }

    /// Ends one script. Says whether it was in force.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.scripts.len();
        self.scripts.retain(|added| added.id != id);
        self.scripts.len() < before
    }

    /// Ends all scripts.
    pub fn clear(&mut self) {
        self.scripts.clear();
    }
}
