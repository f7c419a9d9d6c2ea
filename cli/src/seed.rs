//! `naru seed-demo`: the merchant, and the payer, that a developer's sandbox begins with.

use naru_shared::api_key::{ApiKey, KeyKind};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::config::CliConfig;
use naru_shared::domain::id::{MerchantId, Mode, StaffId, Tenant};
use naru_shared::domain::staff::Role;
use naru_shared::keys::{api_key_hash_key, demo_key, demo_password};
use naru_shared::secret::{Email, Password, Secret};
use naru_shared::store::{NewApiKey, NewMember, NewMerchant};
use naru_shared::system::{System, environment};

use crate::merchant::Command;
use crate::migrate::store;
use crate::{Outcome, demo_payer};

/// What the demo merchant's owner signs in with. The password is derived from the master secret, so it is another one in
/// each deployment.
const OWNER: &str = "owner@naru.example";

/// Origins of a developer's own pages.
const ORIGINS: [&str; 3] = ["http://localhost:3000", "http://127.0.0.1:3000", "https://shop.example"];

pub(crate) async fn run() -> Outcome {
    let config = CliConfig::from_env(&environment)?;
    let (store, master) = (store(&config.database)?, config.keys.master);
    let merchant = NewMerchant { id: MerchantId(System.ordered()), mid: "naru_demo", name: "나루 데모 상점" };
    let tenant = Tenant { merchant: store.create_merchant(&merchant).await?, mode: Mode::Test };
    let by = Command::begin();
    let password = demo_password(&master);
    let kept = Password::parse(&password)?.hash(&System.bytes()).ok_or("there is not the memory for a password")?;
    let email = Email::parse(OWNER).ok_or("the demo owner's address is none")?;
    let owner = NewMember {
        id: StaffId(System.ordered()),
        merchant: tenant.merchant,
        email: &email,
        name: "데모 사장님",
        role: Role::Owner,
        password_hash: &Secret::new(kept),
    };
    // Seeding again gives the owner the password that is printed, whatever it was changed to: it is the sandbox's.
    store.create_member(&owner, &by.actor()).await?;
    println!("NARU_STAFF_MID={}", merchant.mid);
    println!("NARU_STAFF_EMAIL={OWNER}");
    println!("NARU_STAFF_PASSWORD={}", *password);
    for origin in ORIGINS {
        store.register_origin(tenant, origin).await?;
    }
    for (variable, kind) in [("NARU_SECRET_KEY", KeyKind::Secret), ("NARU_CLIENT_KEY", KeyKind::Client)] {
        // Derived, so that it can be printed again: the database keeps only its hash. For the sandbox alone.
        let key = ApiKey::generate(Mode::Test, kind, &demo_key(&master, kind));
        let row = NewApiKey {
            id: System.ordered(),
            tenant,
            kind,
            hash: key.hash(&api_key_hash_key(&master)),
            hint: &key.hint(),
        };
        match store.create_api_key(&row).await {
            Ok(()) => {}
            Err(error) if error.is_constraint("api_keys_hash_unique") => {}
            Err(error) => return Err(error.into()),
        }
        println!("{variable}={}", key.expose());
    }
    demo_payer::seed(&store, &master, config.cards.url).await
}
