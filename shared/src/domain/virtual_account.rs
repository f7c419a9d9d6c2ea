//! 가상계좌: a number for the payer to pay into.
//!
//! The bank opens an account for a payment ([`super::operation::OperationKind::IssueAccount`]) and takes whatever anybody
//! pays into it until it is told to close it. So what is in it is asked after, again and again ([`next_look`]), and at once
//! when the bank calls back; and every deposit that is found is recorded, one event each ([`PaymentState::finding`]):
//!
//! 1. All that was asked, in time, into an account that waits for it: taken, the payment is `DONE`.
//! 2. Anything else (less, more, late, a second one, of a payment that is over): owed back to whoever paid, by a
//!    `return_deposit` that is queued in the same commit.
//! 3. Taken back by the payer's bank (입금 오류): what was taken is not; a `DONE` payment waits for its deposit again.
//!
//! Past its due time a payment stays `WAITING_FOR_DEPOSIT`, `expired`, and its account is closed. Closing ends only when
//! the bank says that it is closed and empty.

mod answer;
mod course;
mod finding;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::bank::Bank;
use super::cancel::{Cancel, CancelEnd, CancelKind};
use super::event::{EventClass, PaymentEvent};
use super::id::{OperationId, PayeeId, Reference};
use super::instrument::Instrument;
use super::money::Money;
use super::operation::OperationStatus;
use super::payment::{Approval, MoneyState, PaymentState, Stage, Work, is_zero};
use crate::words::words;

pub use self::answer::{IssueAnswer, IssueInquiry};
pub(super) use self::course::{changed, decided_before, first_step};
pub use self::finding::{Finding, next_look};

/// The least that is paid into an account, in won.
pub const AMOUNT_MIN: i64 = 200;
/// How long a payer has unless the merchant says otherwise, in hours.
pub const VALID_HOURS: i64 = 168;
/// How long a payer can have at most, in hours: 90 days.
pub const VALID_HOURS_MAX: i64 = 2_160;
/// Deposits that a payment's standing lists at most, for it is written whole with every version: of those that are settled the
/// newest. So many less one may be owed at a time, and the one that pays always has its place; what comes beyond them is
/// recorded when some of them went back, and a case says so.
pub const DEPOSITS_MAX: usize = 100;

/// A virtual account as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualAccount {
    /// The bank it is at.
    pub bank: Bank,
    /// Who is to pay into it: the name that the payer's bank shows.
    pub customer_name: String,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
}

/// A virtual account that the bank opened. Its number is made for this payment, shown to the payer, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Our name for it at the bank.
    pub reference: Reference,
    /// What the payer pays into.
    pub number: String,
    /// What the payer is to pay, in minor units.
    pub amount: i64,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// The operation that had it opened.
    pub operation: OperationId,
    /// Whether it was found unpaid after its due time.
    #[serde(default)]
    pub expired: bool,
    /// Whether the bank said that it is closed and empty.
    #[serde(default)]
    pub closed: bool,
}

/// Where money goes back to, as far as it may be kept: the number itself rests sealed, apart from this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payee {
    /// Under what the number rests. Each time that somebody says where to, it is another.
    pub id: PayeeId,
    /// The bank.
    pub bank: Bank,
    /// The last four digits.
    pub last4: String,
    /// Whose account it is.
    pub holder: String,
}

impl Payee {
    /// `****1234`: the only form in which such a number is ever shown.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("****{}", self.last4)
    }
}

/// Something that was paid in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    /// The bank's name for it.
    pub key: String,
    /// The account it was paid into.
    pub reference: Reference,
    /// In minor units.
    pub amount: i64,
    /// The name in the transfer.
    pub depositor_name: String,
    /// When it arrived, by the bank's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub deposited_at: OffsetDateTime,
    /// What became of it.
    pub standing: DepositStanding,
    /// Why it can't be taken, if it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<NotTaken>,
    /// Whether it paid the payment, until its payer's bank took it back at the latest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paid: bool,
    /// The operation that returns it, until it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// What of it went back though the payer's bank took it back as well, whichever was heard of first, in minor units: it went
    /// twice, and a person's case says so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: i64,
}

impl Deposit {
    /// Whether nothing of it is held or owed by anybody.
    fn is_settled(&self) -> bool {
        let went = matches!(self.standing, DepositStanding::Returned | DepositStanding::TakenBack);
        went && self.work.is_none() && self.lost == 0
    }
}

words! {
    /// What became of a deposit.
    DepositStanding {
        /// It pays the payment.
        Taken = "taken",
        /// It is owed to whoever paid it in.
        Owed = "owed",
        /// It went back.
        Returned = "returned",
        /// The payer's bank took it back (입금 오류).
        TakenBack = "taken_back",
    }
}

words! {
    /// Why a payment can't take a deposit.
    NotTaken {
        /// Less than was asked. Parts are not added up.
        Short = "short",
        /// More than was asked.
        Over = "over",
        /// It came after the due time.
        Late = "late",
        /// The payment is paid already.
        Second = "second",
        /// The payment is over, or never came to be.
        Unwanted = "unwanted",
    }
}

/// What can happen to an account and what is paid into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEvent {
    /// The bank opened it.
    Issued {
        /// As the bank tells it.
        account: Account,
    },
    /// A deposit was found.
    Deposited {
        /// With what becomes of it.
        deposit: Deposit,
        /// What the transaction is called: its `transactionKey` when it pays.
        transaction: OperationId,
        /// When we recorded it.
        at: OffsetDateTime,
    },
    /// A deposit that was recorded is not there any more.
    TakenBack {
        /// Which.
        key: String,
    },
    /// Where deposits go back to was said.
    PayeeGiven {
        /// Where to.
        payee: Payee,
    },
    /// A deposit went back.
    Returned {
        /// The return.
        operation: OperationId,
    },
    /// There is nothing to return: the payer's bank was faster.
    NothingToReturn {
        /// The return.
        operation: OperationId,
    },
    /// It was found unpaid after its due time.
    Overdue,
    /// It is to be closed.
    CloseQueued {
        /// The closing.
        work: Work,
    },
    /// The bank says that it is closed and empty.
    Closed {
        /// The closing; nothing when it was found so.
        operation: Option<OperationId>,
        /// Whether it is the payment's own account.
        own: bool,
    },
    /// There is money in it: it will be asked again when that went back.
    NotClosed {
        /// The closing.
        operation: OperationId,
    },
}

impl AccountEvent {
    /// Its type, as the event log and streams name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "payment.waiting_for_deposit",
            Self::Deposited { deposit, .. } => match deposit.standing {
                DepositStanding::Taken => "payment.done",
                DepositStanding::Owed | DepositStanding::Returned | DepositStanding::TakenBack => "deposit.not_taken",
            },
            Self::TakenBack { .. } => "deposit.taken_back",
            Self::PayeeGiven { .. } => "deposit.refund_account_given",
            Self::Returned { .. } => "deposit.returned",
            Self::NothingToReturn { .. } => "deposit.nothing_to_return",
            Self::Overdue => "payment.overdue",
            Self::CloseQueued { .. } => "account.close_queued",
            Self::Closed { .. } => "account.closed",
            Self::NotClosed { .. } => "account.not_closed",
        }
    }

    /// Who it is for.
    #[must_use]
    pub const fn class(&self) -> EventClass {
        match self {
            Self::Issued { .. }
            | Self::Deposited { .. }
            | Self::TakenBack { .. }
            | Self::Returned { .. }
            | Self::Overdue => EventClass::State,
            Self::PayeeGiven { .. }
            | Self::NothingToReturn { .. }
            | Self::CloseQueued { .. }
            | Self::Closed { .. }
            | Self::NotClosed { .. } => EventClass::Progress,
        }
    }
}

/// An account as the bank tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its number.
    pub number: String,
    /// What the payer was asked to pay, if it is an amount of a currency we know.
    pub money: Option<Money>,
    /// Whether it takes no deposits any more, and never will.
    pub is_closed: bool,
    /// What is in it, in minor units.
    pub balance: i64,
    /// What was paid into it, the oldest first.
    pub deposits: Vec<FoundDeposit>,
}

/// A deposit as the bank tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDeposit {
    /// The bank's name for it.
    pub key: String,
    /// In minor units.
    pub amount: i64,
    /// The name in the transfer.
    pub depositor_name: String,
    /// When it arrived, by the bank's clock.
    pub at: OffsetDateTime,
    /// Whether the payer's bank took it back.
    pub is_taken_back: bool,
}

impl PaymentState {
    /// A payment whose account is being opened.
    #[must_use]
    pub fn issuing(instrument: Instrument, work: Work) -> Self {
        Self::key_in(instrument, work)
    }

    /// Whether it was paid, and then its payer's bank took back what had gone back in part or whole already.
    #[must_use]
    pub(super) fn has_lost_its_deposit(&self) -> bool {
        self.account.is_some() && self.approval().is_some() && self.taken_deposit().is_none()
    }

    /// Whether there is a place for another deposit that stands like this.
    fn has_room(&self, standing: DepositStanding) -> bool {
        let open = self.deposits.iter().filter(|deposit| !deposit.is_settled()).count();
        match standing {
            DepositStanding::Owed => open < DEPOSITS_MAX && self.owed_deposits().count() < DEPOSITS_MAX - 1,
            DepositStanding::Taken | DepositStanding::Returned | DepositStanding::TakenBack => open < DEPOSITS_MAX,
        }
    }

    /// Adds a deposit in the place of the oldest settled one, if there is no other.
    fn list(&mut self, deposit: Deposit) {
        if self.deposits.len() >= DEPOSITS_MAX
            && let Some(oldest) = self.deposits.iter().position(Deposit::is_settled)
        {
            self.deposits.remove(oldest);
            self.deposits_gone += 1;
        }
        self.deposits.push(deposit);
    }

    /// Whether a cancel needs an account to give the money back to: there is money of the payer's in a virtual account.
    #[must_use]
    pub fn needs_payee(&self) -> bool {
        self.account.is_some() && (self.approval().is_some() || self.owed_deposits().next().is_some())
    }

    /// The deposits that are owed back.
    pub fn owed_deposits(&self) -> impl Iterator<Item = &Deposit> {
        self.deposits.iter().filter(|deposit| deposit.standing == DepositStanding::Owed)
    }

    /// The deposit that pays it.
    #[must_use]
    pub fn taken_deposit(&self) -> Option<&Deposit> {
        self.deposits.iter().find(|deposit| deposit.standing == DepositStanding::Taken)
    }

    /// The deposit that paid it until the payer's bank took it back, if none pays it now: what is refunded all the same went twice.
    #[must_use]
    pub fn lapsed_deposit(&self) -> Option<&Deposit> {
        let lapsed = |deposit: &&Deposit| deposit.standing == DepositStanding::TakenBack && deposit.paid;
        if self.taken_deposit().is_some() { None } else { self.deposits.iter().rev().find(lapsed) }
    }

    /// The deposit that this operation returns.
    #[must_use]
    pub fn returned_by(&self, operation: OperationId) -> Option<&Deposit> {
        self.deposits.iter().find(|deposit| deposit.work.as_ref().is_some_and(|work| work.id == operation))
    }

    /// What an account's event changes; nothing when it can't be.
    pub(super) fn hold_account(&mut self, event: &PaymentEvent) -> Option<()> {
        use AccountEvent as A;
        use PaymentEvent as E;
        let busy = self.has_unsettled_work();
        let event = match event {
            // One operation of a payment at a time.
            E::WorkRearmed { .. } if busy => return None,
            E::RetryScheduled { work, .. }
            | E::OutcomeUnknown { work }
            | E::WorkDied { work, .. }
            | E::WorkRearmed { work } => {
                *self.account_work(work.id)? = work.clone();
                return Some(());
            }
            E::Account(event) => event,
            E::Scanned { .. }
            | E::Delayed { .. }
            | E::Authenticated { .. }
            | E::PayerCanceled
            | E::Expired
            | E::ApprovalQueued { .. }
            | E::Approved { .. }
            | E::ApprovalFailed { .. }
            | E::LateApproval { .. }
            | E::ReversalFinished { .. }
            | E::CancelQueued { .. }
            | E::CancelDone { .. }
            | E::CancelFailed { .. }
            | E::CaptureQueued { .. }
            | E::Captured { .. }
            | E::CaptureDone { .. }
            | E::CaptureFailed { .. } => return None,
        };
        match event {
            A::Issued { account } => {
                let Stage::InProgress { instrument } = &self.stage else { return None };
                if !self.operation.as_ref().is_some_and(|work| work.status.is_unsettled()) || self.account.is_some() {
                    return None;
                }
                self.stage = Stage::WaitingForDeposit { instrument: instrument.clone(), lapsed: None };
                self.operation = None;
                self.account = Some(account.clone());
            }
            A::Deposited { deposit, transaction, at } => {
                let is_known = self.deposits.iter().any(|known| known.key == deposit.key);
                let is_early = matches!(self.stage, Stage::Ready) || self.operation.is_some();
                if is_known || is_early || !self.has_room(deposit.standing) {
                    return None;
                }
                match deposit.standing {
                    DepositStanding::Taken => self.pay(deposit, *transaction, *at)?,
                    DepositStanding::Owed if deposit.work.is_some() => {}
                    DepositStanding::TakenBack => {}
                    DepositStanding::Owed | DepositStanding::Returned => return None,
                }
                self.list(deposit.clone());
            }
            A::TakenBack { key } => {
                let canceled = self.canceled;
                let deposit = self.deposits.iter_mut().find(|deposit| deposit.key == *key)?;
                match deposit.standing {
                    DepositStanding::Taken => {
                        deposit.standing = DepositStanding::TakenBack;
                        // Once something of it went back, nothing makes it unpaid: the books are for a person.
                        deposit.lost = canceled;
                        if let Stage::Done { instrument, approval } = &self.stage {
                            let (instrument, lapsed) = (instrument.clone(), Some(approval.clone()));
                            self.stage = Stage::WaitingForDeposit { instrument, lapsed };
                        }
                    }
                    DepositStanding::Owed => deposit.standing = DepositStanding::TakenBack,
                    DepositStanding::Returned => {
                        deposit.standing = DepositStanding::TakenBack;
                        deposit.lost = deposit.amount;
                    }
                    DepositStanding::TakenBack => return None,
                }
            }
            A::PayeeGiven { payee } => {
                let Instrument::VirtualAccount(_) = self.instrument()? else { return None };
                self.payee = Some(payee.clone());
                // Whatever of the rest waited for it goes back to work, behind what is at work.
                let returns = self.deposits.iter_mut().filter_map(|deposit| deposit.work.as_mut());
                for work in returns.filter(|work| work.status == OperationStatus::Dead) {
                    *work = Work { status: OperationStatus::Queued, next_attempt_at: None, ..work.clone() };
                }
            }
            A::Returned { operation } => {
                let deposit = self.returning(*operation)?;
                match deposit.standing {
                    DepositStanding::Owed => deposit.standing = DepositStanding::Returned,
                    // It had been paid out before that, and nobody had heard of it.
                    DepositStanding::TakenBack => deposit.lost = deposit.amount,
                    DepositStanding::Taken | DepositStanding::Returned => return None,
                }
                deposit.work = None;
            }
            A::NothingToReturn { operation } => {
                let deposit = self.returning(*operation)?;
                if deposit.standing != DepositStanding::TakenBack {
                    return None;
                }
                deposit.work = None;
            }
            A::Overdue => {
                if !matches!(self.stage, Stage::WaitingForDeposit { .. }) {
                    return None;
                }
                let account = self.account.as_mut().filter(|account| !account.expired)?;
                account.expired = true;
            }
            A::CloseQueued { work } => {
                if self.closing.is_some() || self.operation.is_some() || matches!(self.stage, Stage::Ready) {
                    return None;
                }
                self.closing = Some(work.clone());
            }
            A::Closed { operation, own } => {
                if let Some(operation) = operation {
                    self.closing.take_if(|work| work.id == *operation)?;
                }
                if *own {
                    self.account.as_mut()?.closed = true;
                } else {
                    (*operation)?;
                }
            }
            A::NotClosed { operation } => {
                self.closing.take_if(|work| work.id == *operation)?;
            }
        }
        Some(())
    }

    fn pay(&mut self, deposit: &Deposit, transaction: OperationId, at: OffsetDateTime) -> Option<()> {
        let Stage::WaitingForDeposit { instrument, .. } = &self.stage else { return None };
        let account = self.account.as_mut()?;
        if account.reference != deposit.reference || account.amount != deposit.amount {
            return None;
        }
        let approval = Approval {
            // Banks give none.
            number: "00000000".into(),
            approved_at: at,
            operation: transaction,
            reference: account.reference.clone(),
            amount: account.amount,
            interest_payer: None,
        };
        // It came in time, however late it was found.
        account.expired = false;
        self.stage = Stage::Done { instrument: instrument.clone(), approval };
        Some(())
    }

    fn returning(&mut self, operation: OperationId) -> Option<&mut Deposit> {
        self.deposits.iter_mut().find(|deposit| deposit.work.as_ref().is_some_and(|work| work.id == operation))
    }

    /// The work of a closing or a return.
    fn account_work(&mut self, operation: OperationId) -> Option<&mut Work> {
        let returns = self.deposits.iter_mut().filter_map(|deposit| deposit.work.as_mut());
        self.closing.iter_mut().chain(returns).find(|work| work.id == operation)
    }

    /// Where the money of a payment is that is not paid, or not any more, and has or had a virtual account.
    pub(super) fn deposited_money(&self) -> Option<MoneyState> {
        self.account.as_ref().map(|_| ()).or_else(|| self.deposits.first().map(|_| ()))?;
        let going = |deposit: &Deposit| deposit.work.as_ref().is_some_and(|work| work.status.is_unsettled());
        let mut owed = self.owed_deposits().peekable();
        let has_owed = owed.peek().is_some();
        if has_owed {
            return Some(if owed.all(going) { MoneyState::Unknown } else { MoneyState::Moved });
        }
        let back = |deposit: &Deposit| deposit.standing != DepositStanding::Owed;
        // A cancel that is at work may find a deposit.
        let canceling = self.cancels.iter().any(|cancel| cancel.end.is_none() && cancel.work.status.is_unsettled());
        Some(match (canceling, self.deposits.iter().any(back)) {
            (true, _) => MoneyState::Unknown,
            (false, true) => MoneyState::Reversed,
            (false, false) => MoneyState::NotMoved,
        })
    }
}

/// How the refunds of a payment stand, as Toss Payments tells it.
#[must_use]
pub fn refund_status(state: &PaymentState) -> RefundStatus {
    let refunds = |ended: fn(&Cancel) -> bool| state.cancels.iter().filter(move |cancel| ended(cancel)).count();
    let open = refunds(|cancel| cancel.end.is_none());
    let failed = matches!(state.cancels.last().and_then(|cancel| cancel.end.as_ref()), Some(CancelEnd::Aborted { .. }));
    let done = refunds(|cancel| matches!(cancel.end, Some(CancelEnd::Done { kind: CancelKind::Refund, .. })));
    match (open, failed, done) {
        (1.., _, _) => RefundStatus::Pending,
        (0, true, 0) => RefundStatus::Failed,
        (0, true, _) => RefundStatus::PartialFailed,
        (0, false, 0) => RefundStatus::None,
        (0, false, _) => RefundStatus::Completed,
    }
}

words! {
    /// How the refunds of a payment by virtual account stand.
    RefundStatus {
        /// Nothing was asked to go back.
        None = "NONE",
        /// Something is on its way.
        Pending = "PENDING",
        /// The last that was asked for was refused, and nothing went back.
        Failed = "FAILED",
        /// The last that was asked for was refused, but something went back before.
        PartialFailed = "PARTIAL_FAILED",
        /// All that was asked for went back.
        Completed = "COMPLETED",
    }
}

#[cfg(test)]
pub(super) mod tests;
