//! `naru new-merchant`: a merchant, and the invitation of its first owner; `naru invite-owner`: of a further one. Everything else
//! of a merchant is its owners' to do.

use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::config::{Concern as _, Database};
use naru_shared::domain::id::{InvitationId, MerchantId};
use naru_shared::domain::staff::Role;
use naru_shared::keys::INVITATION_PREFIX;
use naru_shared::secret::{Email, OpaqueToken};
use naru_shared::store::{Actor, Invited, NewInvitation, NewMerchant};
use naru_shared::system::{System, environment};
use naru_shared::telemetry::TraceContext;

use crate::Outcome;
use crate::migrate::store;

/// Which merchant.
#[derive(clap::Args)]
pub(crate) struct NewMerchantOptions {
    /// Its public id, `mId` on payments: 2 to 40 of letters, digits, `-` and `_`. Never changes.
    #[arg(long)]
    mid: String,
    /// What people call it.
    #[arg(long)]
    name: String,
    /// The address of its first owner.
    #[arg(long)]
    owner: String,
}

/// Who is to be an owner of a merchant that has one who can't get in.
#[derive(clap::Args)]
pub(crate) struct InviteOwnerOptions {
    /// The merchant's public id.
    #[arg(long)]
    mid: String,
    /// The address of the owner to be. One that works there already can't be invited again.
    #[arg(long)]
    owner: String,
}

/// A command that changes something, as the audit log has it.
pub(crate) struct Command {
    trace_id: String,
}

impl Command {
    pub(crate) fn begin() -> Self {
        Self { trace_id: TraceContext::start(&System).trace_hex() }
    }

    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor { staff: None, address: None, trace_id: &self.trace_id }
    }
}

impl InviteOwnerOptions {
    pub(crate) async fn run(self) -> Outcome {
        let email = Email::parse(&self.owner).ok_or("--owner must be an e-mail address")?;
        let store = store(&Database::from_env(&environment)?)?;
        let merchant = store.find_merchant(&self.mid).await?.ok_or("there is no such merchant")?;
        let (token, owner) = invitation(merchant, &email);
        match store.invite(&owner, &Command::begin().actor()).await? {
            Invited::Until(_) => show(&token, &self.mid, &self.owner),
            Invited::IsThere => return Err("somebody of that address works there already".into()),
            Invited::TooMany => return Err("the merchant has as many people and open invitations as it may".into()),
        }
        Ok(())
    }
}

fn invitation(merchant: MerchantId, email: &Email) -> (OpaqueToken, NewInvitation<'_>) {
    let token = OpaqueToken::generate(INVITATION_PREFIX, &System.bytes());
    let (id, token_hash) = (InvitationId(System.ordered()), token.hash());
    (token, NewInvitation { id, merchant, email, role: Role::Owner, token_hash })
}

fn show(token: &OpaqueToken, mid: &str, owner: &str) {
    println!("mid={mid}");
    println!("invitation={}", token.expose());
    eprintln!("{owner} accepts it within 72 hours, once: docs/backoffice.md says how");
}

impl NewMerchantOptions {
    pub(crate) async fn run(self) -> Outcome {
        let email = Email::parse(&self.owner).ok_or("--owner must be an e-mail address")?;
        let store = store(&Database::from_env(&environment)?)?;
        let merchant = NewMerchant { id: MerchantId(System.ordered()), mid: &self.mid, name: &self.name };
        let (token, owner) = invitation(merchant.id, &email);
        store.found_merchant(&merchant, &owner, &Command::begin().actor()).await.map_err(|error| {
            match ["merchants_mid_unique", "merchants_mid_shape"].iter().find(|name| error.is_constraint(name)) {
                Some(&"merchants_mid_unique") => format!("there is a merchant {} already", self.mid).into(),
                Some(_) => "--mid must be 2 to 40 of letters, digits, `-` and `_`".into(),
                None => Box::<dyn std::error::Error>::from(error),
            }
        })?;
        show(&token, &self.mid, &self.owner);
        Ok(())
    }
}
