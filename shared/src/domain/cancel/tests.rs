use proptest::prelude::*;

use super::super::fixtures::{START, cancel, id, standings};
use super::*;
use crate::domain::failure::{Failure, FailureCode};

fn standing(name: &str) -> PaymentState {
    standings().into_iter().find(|(standing, _)| *standing == name).unwrap().1
}

#[test]
fn what_can_be_cancelled_is_what_is_neither_gone_nor_reserved() {
    #[rustfmt::skip]
    let table = [
        // standing                 amount        tax free     of 15,000 of which 3,000 bear no tax
        ("done",                    None,         None,         Ok((15_000, 3_000))),
        ("done",                    Some(12_000), None,         Ok((12_000, 0))),
        ("done",                    Some(12_001), None,         Ok((12_001, 1))),
        ("done",                    Some(2_000),  Some(2_000),  Ok((2_000, 2_000))),
        ("done",                    Some(2_000),  Some(2_001),  Err(NotCancelable::TaxFree { least: 0, most: 2_000 })),
        ("done",                    Some(5_000),  Some(3_001),  Err(NotCancelable::TaxFree { least: 0, most: 3_000 })),
        ("done",                    Some(14_000), Some(1_999),  Err(NotCancelable::TaxFree { least: 2_000, most: 3_000 })),
        ("done",                    Some(15_001), None,         Err(NotCancelable::TooMuch { refundable: 15_000 })),
        ("done",                    Some(0),      None,         Err(NotCancelable::TooMuch { refundable: 15_000 })),
        ("done",                    Some(-1),     None,         Err(NotCancelable::TooMuch { refundable: 15_000 })),
        ("done, part canceling",    None,         None,         Ok((10_000, 3_000))),
        ("done, part canceling",    Some(10_001), None,         Err(NotCancelable::TooMuch { refundable: 10_000 })),
        ("done, all canceling",     None,         None,         Err(NotCancelable::TooMuch { refundable: 0 })),
        ("done, cancel dead",       None,         None,         Ok((10_000, 3_000))),
        ("done, cancel refused",    None,         None,         Ok((15_000, 3_000))),
        ("partly canceled",         None,         None,         Ok((10_000, 3_000))),
        ("canceled",                None,         None,         Err(NotCancelable::AllCanceled)),
        ("ready",                   None,         None,         Err(NotCancelable::NotPaid)),
        ("in progress, queued",     None,         None,         Err(NotCancelable::NotPaid)),
        ("aborted",                 None,         None,         Err(NotCancelable::NotPaid)),
        ("expired",                 None,         None,         Err(NotCancelable::NotPaid)),
    ];
    for (name, amount, tax_free, expected) in table {
        assert_eq!(standing(name).cancelable(3_000, amount, tax_free), expected, "{name}: {amount:?} {tax_free:?}");
    }
}

#[test]
fn a_payment_is_cancelled_in_a_hundred_parts_at_most() {
    let mut state = standing("done");
    for number in 0..100 {
        state = state.on(&PaymentEvent::CancelQueued { cancel: cancel(100 + number, 100) }).unwrap();
    }
    assert_eq!(state.cancelable(0, Some(100), None), Err(NotCancelable::TooMany));
    assert!(state.on(&PaymentEvent::CancelQueued { cancel: cancel(999, 100) }).is_err());
}

/// What is refused, however often, takes nobody's room, and is not kept without end.
#[test]
fn a_hundred_refusals_do_not_end_it() {
    let mut state = standing("done");
    for number in 0..150 {
        state = state.on(&PaymentEvent::CancelQueued { cancel: cancel(100 + number, 100) }).unwrap();
        let failure = Failure::declined(FailureCode::RefundRejected, "05");
        state = state.on(&PaymentEvent::CancelFailed { operation: id(100 + number), failure }).unwrap();
    }
    assert_eq!((state.cancels.len(), state.cancels[99].work.id), (CANCELS_MAX, id(249)), "the newest are listed");
    assert_eq!(state.cancelable(0, Some(100), None), Ok((100, 0)));
}

#[test]
fn a_cancel_says_what_is_left_after_it() {
    let mut state = standing("done");
    for (number, amount) in [(31, 4_000), (32, 1_000)] {
        state = state.on(&PaymentEvent::CancelQueued { cancel: cancel(number, amount) }).unwrap();
    }
    state = state.on(&PaymentEvent::CancelDone { operation: id(31), kind: CancelKind::Cancel, at: START }).unwrap();
    let expected = CancelEnd::Done { kind: CancelKind::Cancel, canceled_at: START, refundable: 10_000 };
    assert_eq!(state.cancel(id(31)).unwrap().end, Some(expected));
    assert_eq!((state.canceled, state.reserved, state.refundable()), (4_000, 1_000, 10_000));
}

/// What a merchant, the acquirer and operators may do, in any order.
#[derive(Debug, Clone)]
enum Deed {
    Ask { amount: i64, tax_free: Option<i64> },
    AskForAll,
    Do { which: usize, refund: bool },
    Refuse { which: usize },
    Lose { which: usize },
    GiveUp { which: usize },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let which = 0..6_usize;
    let deed = prop_oneof![
        4 => (1..6_000_i64, proptest::option::of(0..2_000_i64)).prop_map(|(amount, tax_free)| Deed::Ask { amount, tax_free }),
        1 => Just(Deed::AskForAll),
        3 => (which.clone(), any::<bool>()).prop_map(|(which, refund)| Deed::Do { which, refund }),
        2 => which.clone().prop_map(|which| Deed::Refuse { which }),
        1 => which.clone().prop_map(|which| Deed::Lose { which }),
        1 => which.prop_map(|which| Deed::GiveUp { which }),
    ];
    proptest::collection::vec(deed, 0..50)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// A reference model so small that it is plainly right: a list of amounts with where each is.
    #[test]
    fn no_order_of_cancels_gives_back_more_than_was_paid(deeds in deeds()) {
        #[derive(Clone, Copy, PartialEq, Debug)]
        enum Is { Open, Gone, Refused }
        let (total, tax_free_total) = (15_000, 3_000);
        let mut state = standing("done");
        let mut model: Vec<(i64, i64, Is)> = Vec::new();
        let sum = |model: &[(i64, i64, Is)], is: &[Is]| -> (i64, i64) {
            let of = model.iter().filter(|(_, _, i)| is.contains(i));
            of.fold((0, 0), |(a, t), (amount, tax_free, _)| (a + amount, t + tax_free))
        };
        for deed in deeds {
            let (taken, tax_free_taken) = sum(&model, &[Is::Open, Is::Gone]);
            let open: Vec<usize> = (0..model.len()).filter(|place| model[*place].2 == Is::Open).collect();
            let pick = |which: usize| (!open.is_empty()).then(|| open[which % open.len()]);
            let number = |place: usize| 1_000 + u128::try_from(place).unwrap();
            match deed {
                Deed::Ask { .. } | Deed::AskForAll => {
                    let (amount, tax_free) = match deed {
                        Deed::Ask { amount, tax_free } => (Some(amount), tax_free),
                        Deed::AskForAll | Deed::Do { .. } | Deed::Refuse { .. } | Deed::Lose { .. } | Deed::GiveUp { .. } => (None, None),
                    };
                    let wanted = amount.unwrap_or(total - taken);
                    let all_gone = sum(&model, &[Is::Gone]).0 == total;
                    let fits = wanted > 0 && wanted <= total - taken && !all_gone;
                    let taxed_left = (total - tax_free_total) - (taken - tax_free_taken);
                    let least = (wanted - taxed_left).max(0);
                    let most = wanted.min(tax_free_total - tax_free_taken);
                    let fits = fits && tax_free.is_none_or(|tax_free| (least..=most).contains(&tax_free));
                    let answer = state.cancelable(tax_free_total, amount, tax_free);
                    prop_assert_eq!(answer.is_ok(), fits, "{:?} of {:?}: {:?}", (amount, tax_free), &model, answer);
                    if let Ok((amount, tax_free)) = answer {
                        let asked = Cancel { tax_free, ..cancel(number(model.len()), amount) };
                        state = state.on(&PaymentEvent::CancelQueued { cancel: asked }).unwrap();
                        model.push((amount, tax_free, Is::Open));
                    }
                }
                Deed::Do { which, refund } => if let Some(place) = pick(which) {
                    let kind = if refund { CancelKind::Refund } else { CancelKind::Cancel };
                    let event = PaymentEvent::CancelDone { operation: id(number(place)), kind, at: START };
                    state = state.on(&event).unwrap();
                    prop_assert!(state.on(&event).is_err(), "done twice");
                    model[place].2 = Is::Gone;
                },
                Deed::Refuse { which } => if let Some(place) = pick(which) {
                    let failure = Failure::declined(FailureCode::RefundRejected, "05");
                    let event = PaymentEvent::CancelFailed { operation: id(number(place)), failure };
                    state = state.on(&event).unwrap();
                    prop_assert!(state.on(&event).is_err(), "refused twice");
                    model[place].2 = Is::Refused;
                },
                Deed::Lose { which } => if let Some(place) = pick(which) {
                    let work = Work { status: OperationStatus::Unknown, ..cancel(number(place), 1).work };
                    state = state.on(&PaymentEvent::OutcomeUnknown { work }).unwrap();
                },
                Deed::GiveUp { which } => if let Some(place) = pick(which) {
                    let work = Work { status: OperationStatus::Dead, ..cancel(number(place), 1).work };
                    // Never when something was sent; and either way what was reserved stays so.
                    if let Ok(next) = state.on(&PaymentEvent::WorkDied { work, disputed: false }) { state = next; }
                },
            }
            let ((gone, tax_free_gone), (reserved, _)) = (sum(&model, &[Is::Gone]), sum(&model, &[Is::Open]));
            prop_assert_eq!((state.canceled, state.reserved), (gone, reserved));
            prop_assert_eq!(state.tax_free_returned(), tax_free_gone);
            prop_assert!(gone + reserved <= total);
            prop_assert!(state.tax_free_canceled() <= tax_free_total);
            let left = crate::domain::money::TaxSplit::of(state.balance(total), tax_free_total - tax_free_gone);
            prop_assert_eq!(left.supplied + left.vat + left.tax_free, total - gone, "the split adds up");
            prop_assert_eq!(left.tax_free, tax_free_total - tax_free_gone, "and keeps what bears no tax");
        }
    }
}
