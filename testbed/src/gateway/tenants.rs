//! Other merchants, and other keys of this one.

use naru_shared::api_key::{ApiKey, KeyKind};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::Mode;
use naru_shared::keys::api_key_hash_key;
use naru_shared::secret::MasterSecret;
use naru_shared::store::NewApiKey;
use naru_shared::system::System;

use super::Gateway;
use super::builder::{seed, store};
use crate::{Company, Shop, run};

impl Gateway {
    /// Another merchant, with keys of its own and the same registered origin.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn another_shop(&self) -> Shop {
        let (_, mid, [secret_key, client_key]) = seed(&store(&self.database.url), &self.master, &run::unique()).await;
        let mut shop = self.shop.clone();
        (shop.mid, shop.secret_key, shop.client_key) = (mid, secret_key, client_key);
        shop
    }

    /// A merchant whose people can sit at its backoffice. It has neither people nor keys yet.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn company(&self) -> Company {
        Company::found(self.backdoor.store(), &self.master, &self.shop.url("")).await
    }

    /// A secret key of the same merchant for real money.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn live_shop(&self) -> Shop {
        let store = store(&self.database.url);
        let tenant = naru_shared::domain::id::Tenant { mode: Mode::Live, ..self.backdoor.tenant() };
        let key = ApiKey::generate(Mode::Live, KeyKind::Secret, &System.bytes());
        let hash = key.hash(&api_key_hash_key(&self.master));
        let new = NewApiKey { id: System.ordered(), tenant, kind: KeyKind::Secret, hash, hint: &key.hint() };
        store.create_api_key(&new).await.expect("Postgres answers");
        let mut shop = self.shop.clone();
        key.expose().clone_into(&mut shop.secret_key);
        shop
    }

    /// Revokes a key.
    ///
    /// # Panics
    /// When it is none, or nobody's.
    pub async fn revoke(&self, key: &str) {
        let key = ApiKey::parse(key).expect("it is a key");
        let revoked = store(&self.database.url).revoke_api_key(&key.hash(&api_key_hash_key(&self.master))).await;
        assert!(revoked.expect("Postgres answers"), "it is nobody's key");
    }

    /// The secret that tokens and hashes of keys are made with, for forgers.
    #[must_use]
    pub fn master(&self) -> &MasterSecret {
        &self.master
    }
}
