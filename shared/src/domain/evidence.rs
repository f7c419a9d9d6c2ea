//! What an answer means that came after its claim was lost. The fence guards decisions, never evidence: nothing that
//! says that money moved is ever dropped.

use super::attempt::{AnswerWord, Call, Resolution};

/// What is done about a late answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It says nothing that is not known.
    Nothing,
    /// Its reference is still open: whoever holds the claim now will hear the same.
    Kept,
    /// Money may be out under a reference that was done with: it is net-cancelled, which does no harm if there is none.
    Reverse,
    /// Money may have gone back that we took for not gone back, or a slip may have been bought: nothing undoes that. It is
    /// asked after once more if there is time, and a person must see that the books are right.
    Case,
    /// An account may be open, or closed, that we have no more to do with: it is looked at, and what is found there dealt with.
    Look,
}

/// Judges an answer by what was decided in the meantime about its reference, under which `asked` was asked.
///
/// A call of an approval that came to no answer counts like one that was approved: its bytes may have left after the
/// decision was made, and nobody else will ever ask about them.
#[must_use]
pub const fn judge(call: Call, heard: AnswerWord, asked: Call, decided: Option<Resolution>) -> Verdict {
    let may_be_done = match (call, heard) {
        (
            Call::Approve | Call::Capture | Call::Cancel | Call::Refund | Call::Issue | Call::Close | Call::Return,
            AnswerWord::Approved | AnswerWord::Pending | AnswerWord::Unknown,
        )
        | (Call::Inquire, AnswerWord::Approved | AnswerWord::Pending) => true,
        (
            Call::Approve
            | Call::Capture
            | Call::Cancel
            | Call::Refund
            | Call::Issue
            | Call::Close
            | Call::Return
            | Call::Inquire
            | Call::NetCancel,
            _,
        ) => false,
    };
    if !may_be_done {
        return Verdict::Nothing;
    }
    match decided {
        None => Verdict::Kept,
        Some(Resolution::Approved | Resolution::Reversing) => Verdict::Nothing,
        Some(Resolution::Declined | Resolution::Reversed | Resolution::NotMoved) => match asked {
            Call::Approve => Verdict::Reverse,
            Call::Issue | Call::Close => Verdict::Look,
            Call::Capture | Call::Cancel | Call::Refund | Call::Return | Call::Inquire | Call::NetCancel => {
                Verdict::Case
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_money_moved_is_never_dropped() {
        use AnswerWord as W;
        use Call::{Approve, Inquire, NetCancel};
        use Resolution as R;
        use Verdict::{Kept, Nothing, Reverse};
        #[rustfmt::skip]
        let table = [
            // call      heard         open      approved  declined  reversed  not moved  reversing
            (Approve,   W::Approved,  [Kept,     Nothing,  Reverse,  Reverse,  Reverse,   Nothing]),
            (Approve,   W::Pending,   [Kept,     Nothing,  Reverse,  Reverse,  Reverse,   Nothing]),
            (Approve,   W::Unknown,   [Kept,     Nothing,  Reverse,  Reverse,  Reverse,   Nothing]),
            (Approve,   W::Declined,  [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (Approve,   W::Busy,      [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (Approve,   W::NotSent,   [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (Inquire,   W::Approved,  [Kept,     Nothing,  Reverse,  Reverse,  Reverse,   Nothing]),
            (Inquire,   W::Pending,   [Kept,     Nothing,  Reverse,  Reverse,  Reverse,   Nothing]),
            (Inquire,   W::Unknown,   [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (Inquire,   W::Declined,  [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (Inquire,   W::Reversed,  [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (Inquire,   W::NotFound,  [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (NetCancel, W::Reversed,  [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (NetCancel, W::NotFound,  [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (NetCancel, W::Refused,   [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
            (NetCancel, W::Unknown,   [Nothing,  Nothing,  Nothing,  Nothing,  Nothing,   Nothing]),
        ];
        for heard in [W::Approved, W::Pending, W::Unknown] {
            // Of a change the same, but that nothing undoes it.
            assert_eq!(judge(Call::Refund, heard, Call::Refund, Some(R::NotMoved)), Verdict::Case);
            assert_eq!(judge(Call::Refund, heard, Call::Refund, None), Kept);
        }
        for (call, heard, verdicts) in table {
            let resolutions = [R::Approved, R::Declined, R::Reversed, R::NotMoved, R::Reversing];
            let decided = std::iter::once(None).chain(resolutions.map(Some));
            for (decided, verdict) in decided.zip(verdicts) {
                assert_eq!(
                    judge(call, heard, Approve, decided),
                    verdict,
                    "{call:?} heard {heard:?}, decided {decided:?}"
                );
            }
        }
    }
}
