//! What payments are and what may happen to them. Pure: no I/O, no clock, no randomness.
//!
//! A payment ([`payment`]) is moved only by events ([`event`]) through [`payment::PaymentState::on`]. Work owed
//! on it is an operation ([`operation`]); each call of it to an acquirer is an attempt ([`attempt`]). What a worker
//! does next, and what an answer means, is decided in [`approve`], [`change`] (cancel, refund, capture) and [`net_cancel`]; what a
//! late one means, in [`evidence`]. What is owed to whom afterwards is in [`ledger`].
//! An account for the payer to pay into, and what is found in it, is in [`virtual_account`].
//! What a merchant may charge again is a billing key ([`billing`]).
//! What a merchant's people may do is decided in [`staff`].

pub mod approve;
pub mod attempt;
pub mod bank;
pub mod billing;
pub mod cancel;
pub mod capture;
pub mod card_company;
pub mod change;
pub mod connector;
pub mod course;
pub mod event;
pub mod evidence;
pub mod failure;
pub mod id;
pub mod installment;
pub mod instrument;
pub mod ledger;
pub mod money;
pub mod net_cancel;
pub mod operation;
pub mod operator;
pub mod payment;
mod progress;
pub mod staff;
pub mod virtual_account;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod whole_life;
