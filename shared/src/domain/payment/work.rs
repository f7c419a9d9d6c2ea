//! Work on a payment.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::super::id::OperationId;
use super::super::operation::{OperationKind, OperationStatus};

/// Queued work as a waiting client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// The operation.
    pub id: OperationId,
    /// What is being done.
    #[serde(rename = "type")]
    pub kind: OperationKind,
    /// How far it is.
    pub status: OperationStatus,
    /// Tries so far.
    pub attempt: i32,
    /// When it is tried next; nothing when that is now.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub next_attempt_at: Option<OffsetDateTime>,
}

impl Work {
    /// Work that was just accepted.
    #[must_use]
    pub const fn queued(id: OperationId, kind: OperationKind) -> Self {
        Self { id, kind, status: OperationStatus::Queued, attempt: 0, next_attempt_at: None }
    }
}
