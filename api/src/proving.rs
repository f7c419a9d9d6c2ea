//! Trying a password, a payer's or that of somebody who works for a merchant: counted before it is compared, by the account it is
//! said to be of, known or not, and by where it comes from.
//!
//! What is right is taken back from the counts of wrong ones, one by one: whoever is right about one account, or comes back to
//! their own, gives nobody any more tries. That it was compared at all stays counted.
//!
//! An account that is tried from everywhere is locked everywhere, but where its owner was right before: there only
//! what is tried there counts.

use crate::app::App;
use crate::browser::Address;
use crate::problem::Problem;
use crate::rates::{
    CHECKS_FROM_ADDRESS, RIGHT_OF_ACCOUNT_HERE, WRONG_FROM_ADDRESS, WRONG_OF_ACCOUNT, WRONG_OF_ACCOUNT_HERE, Who,
};

/// A password that is about to be compared.
pub(crate) struct Proving {
    account: Who,
    here: Who,
    address: Address,
    /// Whether somebody was right here.
    is_known: bool,
}

impl Proving {
    /// Counts one more try for an account of these parts.
    ///
    /// # Errors
    /// `RATE_LIMITED`, or that Postgres is away.
    pub(crate) async fn begin(app: &App, address: Address, account: &[&[u8]]) -> Result<Self, Problem> {
        let account = app.rates.who(account);
        let here = app.rates.of_account_at(&account, address);
        app.rates.count_at(CHECKS_FROM_ADDRESS, address).await?;
        app.rates.count_at(WRONG_FROM_ADDRESS, address).await?;
        // What is refused here is not counted there: from one place nobody locks an account for all others.
        app.rates.count(WRONG_OF_ACCOUNT_HERE, &here).await?;
        let is_known = app.rates.is_counted(RIGHT_OF_ACCOUNT_HERE, &here).await?;
        if !is_known {
            app.rates.count(WRONG_OF_ACCOUNT, &account).await?;
        }
        Ok(Self { account, here, address, is_known })
    }

    /// What became of it: who was right, or could not be judged, was not wrong.
    pub(crate) async fn end<T>(self, app: &App, outcome: &Result<T, Problem>) {
        if outcome.as_ref().err().is_none_or(|problem| problem.status().is_server_error()) {
            app.rates.give_back_at(WRONG_FROM_ADDRESS, self.address).await;
            app.rates.give_back(WRONG_OF_ACCOUNT_HERE, &self.here).await;
            if !self.is_known {
                app.rates.give_back(WRONG_OF_ACCOUNT, &self.account).await;
            }
        }
        if outcome.is_ok() {
            app.rates.is_news(RIGHT_OF_ACCOUNT_HERE, &self.here).await;
        }
    }
}
