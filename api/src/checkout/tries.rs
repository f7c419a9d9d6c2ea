//! How many cards a payer may try for one payment: whoever tries many looks for cards, not for socks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use naru_shared::domain::id::PaymentId;

use crate::problem::{Problem, Reason};

/// Cards that may be tried for a payment. Each instance counts for itself.
const TRIES_MAX: u8 = 10;
/// Payments remembered at once. A payment is open for half an hour; whoever fills this with payments needs keys for them.
const REMEMBERED_MAX: usize = 100_000;

/// Cards tried, by payment.
#[derive(Debug, Default)]
pub struct Tries {
    tried: Mutex<HashMap<PaymentId, u8>>,
}

impl Tries {
    /// Counts one more card before it is tried, so that many at once count, too.
    ///
    /// # Errors
    /// `TOO_MANY_CARDS`.
    pub fn count(&self, payment: PaymentId) -> Result<(), Problem> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= REMEMBERED_MAX {
            tried.clear();
        }
        let count = tried.entry(payment).or_default();
        if *count >= TRIES_MAX {
            metrics::counter!("naru_refused_cards_total").increment(1);
            return Err(Problem::because(Reason::TooManyCards));
        }
        *count += 1;
        Ok(())
    }

    /// Takes one back that was not judged, because the card company was away. Only one: who can bring about its
    /// failures may not start anew.
    pub fn give_back(&self, payment: PaymentId) {
        if let Some(count) = self.tried.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&payment) {
            *count = count.saturating_sub(1);
        }
    }

    /// Forgets a payment whose card was accepted.
    pub fn forget(&self, payment: PaymentId) {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).remove(&payment);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn ten_cards_are_enough_for_one_payment_and_nothing_to_another() {
        let (tries, one, other) = (Tries::default(), PaymentId(Uuid::from_u128(1)), PaymentId(Uuid::from_u128(2)));
        for _ in 0..TRIES_MAX {
            assert!(tries.count(one).is_ok());
        }
        let refused = tries.count(one).err().and_then(|problem| problem.reason());
        assert_eq!(refused, Some(Reason::TooManyCards));
        assert!(tries.count(other).is_ok());
        tries.give_back(one);
        assert!(tries.count(one).is_ok() && tries.count(one).is_err(), "one was given back");
        tries.forget(one);
        assert!(tries.count(one).is_ok());
    }
}
