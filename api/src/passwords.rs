//! Passwords, a few at a time: each check takes 19 MiB and some ten milliseconds of a processor, on purpose.

use std::sync::Arc;
use std::time::Duration;

use naru_shared::clock::Random as _;
use naru_shared::secret::{Password, Secret, Verdict, check_password};
use naru_shared::system::System;
use tokio::sync::Semaphore;

use crate::problem::{Problem, Reason};

/// Payers' passwords checked at once.
pub const OF_PAYERS_AT_ONCE: usize = 2;
/// Passwords of merchants' people checked at once. They have a queue of their own: payers, who may be anybody, can't crowd
/// them out.
pub const OF_STAFF_AT_ONCE: usize = 1;
/// Passwords that wait for their turn; further ones are refused, so that signing in can't crowd out paying.
const WAITING_MAX: usize = 16;
/// How long whoever is refused should wait.
const COME_BACK: Duration = Duration::from_secs(1);

/// There is not the memory for a single password. For start-up.
#[derive(Debug, thiserror::Error)]
#[error("there is not the memory for checking passwords")]
pub struct NoMemory;

/// Where passwords are checked: a queue.
#[derive(Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    /// Of a password that nobody knows, to compare with where there is no account.
    nobodys: Arc<Secret<String>>,
}

impl Passwords {
    /// A queue in which so many are checked at once. Takes as long as a check.
    ///
    /// # Errors
    /// When there is not the memory for one.
    pub fn new(at_once: usize) -> Result<Self, NoMemory> {
        let text: String = System.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
        let hash = Password::parse(&text).ok().and_then(|password| password.hash(&System.bytes())).ok_or(NoMemory)?;
        Ok(Self {
            places: Arc::new(Semaphore::new(at_once + WAITING_MAX)),
            turns: Arc::new(Semaphore::new(at_once)),
            nobodys: Arc::new(Secret::new(hash)),
        })
    }

    /// What is kept in a password's place.
    ///
    /// # Errors
    /// `OVERLOADED` when too many wait.
    pub async fn hash(&self, password: Password) -> Result<Secret<String>, Problem> {
        let hash = self.in_turn(move || password.hash(&System.bytes())).await?;
        hash.map(Secret::new).ok_or_else(overloaded)
    }

    /// Whether `given` is the password of which `kept` was kept. Where there is no account it takes as long, and is wrong.
    ///
    /// # Errors
    /// `OVERLOADED` when too many wait.
    pub async fn check(&self, given: Secret<String>, kept: Option<&Secret<String>>) -> Result<Verdict, Problem> {
        let exists = kept.is_some();
        let kept = kept.map_or_else(|| Arc::clone(&self.nobodys), |kept| Arc::new(kept.clone()));
        let verdict = self.in_turn(move || check_password(given.expose(), kept.expose())).await?;
        Ok(if exists { verdict } else { Verdict::Wrong })
    }

    async fn in_turn<T: Send + 'static>(&self, slowly: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| overloaded())?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| overloaded())?;
        let work = tokio::task::spawn_blocking(move || {
            // The turn is over when the work is, also when whoever asked for it has hung up.
            let _held = (place, turn);
            slowly()
        });
        work.await.map_err(|_| Problem::because(Reason::InternalError))
    }
}

/// Whoever would change a password does not know it.
pub fn wrong_current_password() -> Problem {
    Problem::because(Reason::CurrentPasswordWrong)
        .detail("현재 비밀번호가 올바르지 않습니다.", "The current password is wrong.")
}

fn overloaded() -> Problem {
    metrics::counter!("naru_passwords_overloaded_total").increment(1);
    Problem::because(Reason::Overloaded).retry_after(COME_BACK)
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn the_right_one_is_right_and_nobodys_is_always_wrong() {
        let passwords = Passwords::new(OF_PAYERS_AT_ONCE).unwrap();
        let kept = passwords.hash(Password::parse("correct horse battery").unwrap()).await.unwrap();
        let check = |given: &str, kept| passwords.check(Secret::new(given.to_owned()), kept);
        assert_eq!(check("correct horse battery", Some(&kept)).await, Ok(Verdict::Right));
        assert_eq!(check("correct horse batterx", Some(&kept)).await, Ok(Verdict::Wrong));
        assert_eq!(check("correct horse battery", None).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn who_hangs_up_does_not_make_room_for_another() {
        let passwords = Passwords::new(OF_PAYERS_AT_ONCE).unwrap();
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let impatient = passwords.in_turn(move || (begun.send(()), ended.recv()));
        tokio::select! {
            biased;
            _ = impatient => panic!("it goes on until it is told to end"),
            _ = begins.recv() => {}
        }
        assert_eq!(passwords.turns.available_permits(), OF_PAYERS_AT_ONCE - 1, "it is still at work");
        end.send(()).unwrap();
        let all = u32::try_from(OF_PAYERS_AT_ONCE).unwrap();
        drop(passwords.turns.acquire_many(all).await.unwrap());
    }

    #[tokio::test]
    async fn who_finds_a_queue_too_long_is_refused_at_once() {
        let passwords = Passwords::new(OF_PAYERS_AT_ONCE).unwrap();
        let checks = (0..50).map(|_| passwords.check(Secret::new("correct horse battery".to_owned()), None));
        let answers = join_all(checks).await;
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert_eq!(refused, 50 - OF_PAYERS_AT_ONCE - WAITING_MAX);
        let refusals = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(refusals.into_iter().all(|problem| problem.reason() == Some(Reason::Overloaded)));
    }
}
