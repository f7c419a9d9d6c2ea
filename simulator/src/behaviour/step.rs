//! One step of a script, as JSON: `{"do": "slow", "ms": 200, "then": "decline"}`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Deliver, Plan, Wait};
use crate::company::{Act, Code, Id, Pending, Reason};

/// What to do with one matching request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Step {
    /// What the rules say, whatever the card's own behaviour.
    Approve,
    /// Declines.
    Decline {
        /// Field 39.
        #[serde(default = "do_not_honor")]
        code: Code,
        /// Why, in a word, whether it is true or not.
        #[serde(default)]
        reason: Option<Reason>,
    },
    /// A server error.
    Http {
        /// 500 to 599.
        #[serde(default = "internal_error")]
        status: u16,
        /// Whether the request takes effect first.
        #[serde(default)]
        acts: bool,
    },
    /// The maintenance answer: 503, `M1`, nothing done.
    Busy,
    /// Silence, nothing done.
    TimeoutBefore,
    /// Takes effect, then silence.
    TimeoutAfter,
    /// The connection is reset, nothing done.
    DropBefore,
    /// Takes effect, then the connection is reset.
    DropAfter,
    /// Waits, then goes on, even when the other side has given up meanwhile.
    Slow {
        /// How long.
        #[serde(default = "three_seconds")]
        ms: u64,
        /// What next.
        #[serde(default)]
        then: Then,
    },
    /// Takes effect; 200 with a body that is not JSON.
    Malformed,
    /// Takes effect; half of the answer, then the connection closes.
    Truncated,
    /// Takes effect; 8 MiB of answer.
    Huge,
    /// Takes effect; another amount in the answer.
    WrongAmount {
        /// How much more, in minor units.
        #[serde(default = "ten")]
        by: i64,
        /// Whether that is what an approval really charges.
        #[serde(default)]
        charged: bool,
    },
    /// Takes effect; another currency in the answer.
    WrongCurrency,
    /// An approval, cancel, refund or pay-out stays open until it has been inquired about so often.
    Pending {
        /// Inquiries still answered `pending`.
        #[serde(default = "one")]
        inquiries: u32,
        /// The code it ends with; `00` charges.
        #[serde(default = "approved")]
        code: Code,
    },
    /// A cancel, refund or pay-out is answered `approved`, and turns out to have failed after so many inquiries.
    FailLater {
        /// Inquiries still answered `approved`.
        #[serde(default = "one")]
        inquiries: u32,
        /// The code it ends with.
        #[serde(default = "do_not_honor")]
        code: Code,
    },
    /// An approval is captured at once, without anybody's asking.
    CapturedAtOnce,
    /// Inquiries don't find it for a while.
    Lag {
        /// How long.
        #[serde(default = "three_seconds")]
        ms: u64,
        /// How the request itself goes.
        #[serde(default)]
        then: Then,
    },
    /// Parks the request until it is released.
    Hold {
        /// The hold's name.
        id: String,
        /// Whether it waits before or after it takes effect.
        #[serde(default)]
        effect: Side,
        /// What next.
        #[serde(default)]
        then: Then,
    },
    /// A net-cancel is refused.
    Refuse,
    /// An inquiry or net-cancel finds nothing.
    NotFound,
}

/// The side of the effect on which a request is parked.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Before it touches the books.
    #[default]
    Before,
    /// After its effect is durable.
    After,
}

/// Another step: its name, or the whole of it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Then(Box<Step>);

impl Default for Then {
    fn default() -> Self {
        Self(Box::new(Step::Approve))
    }
}

impl<'de> Deserialize<'de> for Then {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = serde_json::Value::deserialize(deserializer)?;
        if value.is_string() {
            value = serde_json::json!({ "do": value });
        }
        serde_json::from_value(value).map(|step| Self(Box::new(step))).map_err(D::Error::custom)
    }
}

impl Step {
    /// Says what can't be done.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Http { status, .. } if !(500..=599).contains(status) => Err("status must be 500 to 599"),
            Self::WrongAmount { by, .. } if *by <= 0 || *by > 1_000_000 => Err("by must be 1 to 1000000"),
            Self::Slow { ms, .. } | Self::Lag { ms, .. } if *ms > 600_000 => Err("ms must be at most 600000"),
            Self::Hold { id, .. } if Id::try_from(id.clone()).is_err() => {
                Err("id must be a name of 1 to 200 plain characters")
            }
            Self::FailLater { code: Code::APPROVED, .. } => Err("code must be that of a refusal"),
            Self::Slow { then, .. } | Self::Lag { then, .. } | Self::Hold { then, .. } => then.0.check(),
            Self::Approve
            | Self::Decline { .. }
            | Self::Http { .. }
            | Self::Busy
            | Self::TimeoutBefore
            | Self::TimeoutAfter
            | Self::DropBefore
            | Self::DropAfter
            | Self::Malformed
            | Self::Truncated
            | Self::Huge
            | Self::WrongAmount { .. }
            | Self::WrongCurrency
            | Self::FailLater { .. }
            | Self::Pending { .. }
            | Self::CapturedAtOnce
            | Self::Refuse
            | Self::NotFound => Ok(()),
        }
    }

    /// The step as a plan.
    pub fn plan(&self) -> Plan {
        match self {
            Self::Approve => Plan::plain().named("approve"),
            Self::Decline { code, reason } => Plan::acting(Act::Decline(*code, *reason)).named("decline"),
            Self::Http { status, acts: true } => Plan::delivering(Deliver::error(*status)).named("http"),
            Self::Http { status, acts: false } => Plan::nothing(Deliver::error(*status)).named("http"),
            Self::Busy => Plan::nothing(Deliver::BUSY).named("busy"),
            Self::TimeoutBefore => Plan::nothing(Deliver::Never).named("timeout_before"),
            Self::TimeoutAfter => Plan::delivering(Deliver::Never).named("timeout_after"),
            Self::DropBefore => Plan::nothing(Deliver::Cut).named("drop_before"),
            Self::DropAfter => Plan::delivering(Deliver::Cut).named("drop_after"),
            Self::Malformed => Plan::delivering(Deliver::Malformed).named("malformed"),
            Self::Truncated => Plan::delivering(Deliver::Truncated).named("truncated"),
            Self::Huge => Plan::delivering(Deliver::Huge).named("huge"),
            Self::WrongAmount { by, charged: true } => Plan::acting(Act::ChargeMore(*by)).named("wrong_amount"),
            Self::WrongAmount { by, charged: false } => {
                Plan::delivering(Deliver::OtherAmount(*by)).named("wrong_amount")
            }
            Self::WrongCurrency => Plan::delivering(Deliver::OtherCurrency).named("wrong_currency"),
            Self::Pending { inquiries, code } => {
                Plan::acting(Act::Pend(Pending { inquiries: *inquiries, code: *code })).named("pending")
            }
            Self::FailLater { inquiries, code } => {
                Plan::acting(Act::FailLater(Pending { inquiries: *inquiries, code: *code })).named("fail_later")
            }
            Self::CapturedAtOnce => Plan::acting(Act::ChargeAndCapture).named("captured_at_once"),
            Self::Refuse => Plan::acting(Act::Refuse).named("refuse"),
            Self::NotFound => Plan::acting(Act::NotFound).named("not_found"),
            Self::Slow { ms, then } => {
                let mut plan = then.0.plan().named("slow");
                plan.before.insert(0, Wait::For(Duration::from_millis(*ms)));
                plan
            }
            Self::Lag { ms, then } => Plan { lag_ms: *ms, ..then.0.plan().named("lag") },
            Self::Hold { id, effect, then } => {
                let mut plan = then.0.plan().named("hold");
                match effect {
                    Side::Before => plan.before.insert(0, Wait::Hold(id.clone())),
                    Side::After => plan.after.insert(0, Wait::Hold(id.clone())),
                }
                plan
            }
        }
    }
}

fn do_not_honor() -> Code {
    Code::DO_NOT_HONOR
}

fn approved() -> Code {
    Code::APPROVED
}

fn internal_error() -> u16 {
    500
}

fn three_seconds() -> u64 {
    3_000
}

fn ten() -> i64 {
    10
}

fn one() -> u32 {
    1
}
