//! What must never be, the database refuses: one case per constraint, each a row that is good but for one thing.

use crate::house::{House, approved, outcome};

#[tokio::test]
async fn what_must_never_be_is_refused() {
    let house = House::enter().await;
    let queued = house.sells().await;
    let done = house.sells().await;
    let claimed = house.claims(house.worker, done.operation).await.unwrap();
    house.store.record_batch(&[outcome(&claimed, &approved())]).await.unwrap();
    let (q, d) = (format!("where id = '{}'", queued.payment), format!("where id = '{}'", done.payment));
    let (qo, dp) = (format!("where id = '{}'", queued.operation), format!("where id = '{}'", done.operation));
    let at = format!("where operation_id = '{}'", done.operation);
    let merchant = house.tenant.merchant;
    let (kim, _lee) = (house.signs_up("kim").await, house.signs_up("lee").await);
    house.keeps(kim, 7).await.unwrap();
    house.store.count_against("sign_in", &[7; 32], 5, std::time::Duration::from_secs(60)).await.unwrap();
    let op = queued.operation;
    house.store.count_against("sign_in", &[7; 32], 5, std::time::Duration::from_secs(60)).await.unwrap();
    for sql in [
        format!("insert into staff (id, merchant_id, email, name, role, password_hash) values (gen_random_uuid(), '{merchant}', 'kim@shop.example', 'Kim', 'owner', 'x')"),
        "insert into staff_sessions (token_hash, staff_id, password_version, expires_at) select sha256('x'), id, 1, now() + interval '1 hour' from staff".to_owned(),
        format!("insert into staff_invitations (id, merchant_id, email, role, token_hash, expires_at) values (gen_random_uuid(), '{merchant}', 'lee@shop.example', 'staff', sha256('x'), now())"),
        format!("insert into billing_keys (id, billing_key, merchant_id, mode, customer_key, token, bin, last4, fingerprint, issuer_code, acquirer_code, card_type, owner_type) values (gen_random_uuid(), 'key', '{merchant}', 'test', 'customer', 'tok', '424242', '4242', repeat('0', 64), '61', '61', '신용', '개인')"),
        format!("insert into deposits select 'd-1', 'deposited', payment_id, version, 'r', 1, now() from payment_events where payment_id = '{}' limit 1", done.payment),
        format!("insert into billing_requests (id, request_id, merchant_id, mode, customer_key, success_url, fail_url, expires_at) values (gen_random_uuid(), 'request', '{merchant}', 'test', 'customer', 'https://a', 'https://a', now())"),
    ] {
        house.run(sql).await;
    }
    let state = |status: &str, money: &str| {
        format!(
            "status = '{status}', money_state = '{money}', state = state || '{{\"status\":\"{status}\",\"moneyState\":\"{money}\"}}'"
        )
    };
    let letter = |columns: &str, values: &str| {
        format!("insert into dead_letters (id, reason, {columns}) values (gen_random_uuid(), 'x', {values})")
    };
    #[rustfmt::skip]
    let table = [
        ("merchants_mid_shape", "insert into merchants (id, mid, name) values (gen_random_uuid(), 'a shop', 'x')".to_owned()),
        ("merchants_mid_unique", "insert into merchants (id, mid, name) values (gen_random_uuid(), 'shop', 'x')".into()),
        ("merchant_origins_mode", format!("insert into merchant_origins values ('{merchant}', 'prod', 'https://a')")),
        ("merchant_origins_origin", format!("insert into merchant_origins values ('{merchant}', 'test', 'https://a/b')")),
        ("api_keys_mode", format!("insert into api_keys values (gen_random_uuid(), '{merchant}', 'prod', 'secret', decode(repeat('00', 32), 'hex'), 'x')")),
        ("api_keys_kind", format!("insert into api_keys values (gen_random_uuid(), '{merchant}', 'test', 'master', decode(repeat('00', 32), 'hex'), 'x')")),
        ("api_keys_hash_length", format!("insert into api_keys values (gen_random_uuid(), '{merchant}', 'test', 'secret', '\\x00', 'x')")),

        ("merchant_clocks_sandbox_only", format!("insert into merchant_clocks (merchant_id, mode, ahead) values ('{merchant}', 'live', '1 hour')")),
        ("merchant_clocks_bounds", format!("insert into merchant_clocks (merchant_id, mode, ahead) values ('{merchant}', 'test', '-1 seconds')")),
        ("merchant_clocks_bounds", format!("insert into merchant_clocks (merchant_id, mode, ahead) values ('{merchant}', 'test', '87600 hours 1 second')")),
        ("merchants_mid_not_ours", "insert into merchants (id, mid, name) values (gen_random_uuid(), 'naru', 'x')".into()),
        ("billing_keys_billing_key_unique", "insert into billing_keys select gen_random_uuid(), billing_key, merchant_id, mode, customer_key, token, bin, last4, fingerprint, issuer_code, acquirer_code, card_type, owner_type from billing_keys".into()),
        ("billing_keys_mode", "update billing_keys set mode = 'prod'".into()),
        ("billing_keys_customer_key", "update billing_keys set customer_key = 'c'".into()),
        ("billing_keys_customer_key", "update billing_keys set customer_key = 'a customer'".into()),
        ("billing_keys_token", "update billing_keys set token = ''".into()),
        ("billing_keys_deleted_means_forgotten", "update billing_keys set deleted_at = now()".into()),
        ("billing_keys_deleted_means_forgotten", "update billing_keys set token = null".into()),
        ("billing_keys_bin", "update billing_keys set bin = '4242424242424242'".into()),
        ("billing_keys_last4", "update billing_keys set last4 = '42424'".into()),
        ("billing_keys_fingerprint", "update billing_keys set fingerprint = '4242424242424242'".into()),
        ("billing_keys_codes", "update billing_keys set issuer_code = '6'".into()),
        ("billing_keys_card_type", "update billing_keys set card_type = '선불'".into()),
        ("billing_keys_owner_type", "update billing_keys set owner_type = '가족'".into()),
        ("billing_requests_mode", "update billing_requests set mode = 'prod'".into()),
        ("billing_requests_customer_key", "update billing_requests set customer_key = 'a customer'".into()),
        ("billing_requests_auth_key_hash", "update billing_requests set auth_key_hash = 'x', card = '{}'".into()),
        ("billing_requests_card", "update billing_requests set card = '{}'".into()),

        ("payers_email_unique", "insert into payers (id, mode, email, password_hash) select gen_random_uuid(), mode, email, password_hash from payers".into()),
        ("payers_mode", "update payers set mode = 'prod'".into()),
        ("payers_email", "update payers set email = 'Kim@mail.example'".into()),
        ("payers_email", "update payers set email = repeat('x', 255)".into()),
        ("payers_password_hash", "update payers set password_hash = 'correct horse battery'".into()),
        ("payers_card_count", "update payers set card_count = 21".into()),
        ("payers_card_count", "update payers set card_count = -1".into()),
        ("payers_default_card", "update payers set default_card = gen_random_uuid()".into()),
        ("payers_default_card", "update payers p set default_card = c.id from stored_cards c where c.payer_id <> p.id".into()),
        ("payer_sessions_token_hash", "insert into payer_sessions (token_hash, payer_id, password_version) select '\\x00', id, 1 from payers limit 1".into()),
        ("stored_cards_once", "insert into stored_cards select gen_random_uuid(), payer_id, token, bin, last4, fingerprint, issuer_code, acquirer_code, card_type, owner_type from stored_cards".into()),
        ("stored_cards_token", "update stored_cards set token = ''".into()),
        ("stored_cards_bin", "update stored_cards set bin = '4242424242424242'".into()),
        ("stored_cards_last4", "update stored_cards set last4 = '42424'".into()),
        ("stored_cards_fingerprint", "update stored_cards set fingerprint = '4242424242424242'".into()),
        ("stored_cards_codes", "update stored_cards set issuer_code = '6'".into()),
        ("stored_cards_card_type", "update stored_cards set card_type = '선불'".into()),
        ("stored_cards_owner_type", "update stored_cards set owner_type = '가족'".into()),
        ("stored_cards_nickname", "update stored_cards set nickname = ''".into()),
        ("stored_cards_nickname", "update stored_cards set nickname = repeat('x', 41)".into()),
        ("payment_payers_pkey", format!("insert into payment_payers (payment_id, payer_id) select '{}', id from payers", queued.payment)),
        ("rate_limits_scope", "update rate_limits set scope = 'Sign in'".into()),
        ("rate_limits_key", "update rate_limits set key = '\\x00'".into()),
        ("rate_limits_window", "update rate_limits set until = window_start".into()),
        ("rate_limits_count", "update rate_limits set count = -1".into()),
        ("rate_limits_count", "update rate_limits set strikes = -1".into()),

        ("staff_role", "update staff set role = 'king'".to_owned()),
        ("staff_email", "update staff set email = 'Kim@shop.example'".into()),
        ("staff_email", "update staff set email = repeat('x', 255)".into()),
        ("staff_name", "update staff set name = ''".into()),
        ("staff_keeps_password_while_there", "update staff set password_hash = null".into()),
        ("staff_keeps_password_while_there", "update staff set removed_at = now()".into()),
        ("staff_one_per_address", "insert into staff (id, merchant_id, email, name, role, password_hash) select gen_random_uuid(), merchant_id, email, name, role, password_hash from staff".into()),
        ("staff_sessions_hash_length", "update staff_sessions set token_hash = '\\x00'".into()),
        ("staff_sessions_times", "update staff_sessions set expires_at = created_at".into()),
        ("staff_sessions_times", "update staff_sessions set used_at = created_at - interval '1 second'".into()),
        ("staff_invitations_role", "update staff_invitations set role = 'king'".into()),
        ("staff_invitations_email", "update staff_invitations set email = 'Kim@shop.example'".into()),
        ("staff_invitations_hash_length", "update staff_invitations set token_hash = '\\x00'".into()),
        ("staff_invitations_hash_unique", "insert into staff_invitations select gen_random_uuid(), merchant_id, 'lee@shop.example', role, token_hash, invited_by, created_at, expires_at from staff_invitations".into()),
        ("staff_invitations_one_per_address", "insert into staff_invitations select gen_random_uuid(), merchant_id, email, role, sha256('other'), invited_by, created_at, expires_at from staff_invitations".into()),
        ("audit_log_mode", "insert into audit_log (mode, action, subject, trace_id) values ('prod', 'a.b', 'x', 'x')".into()),
        ("audit_log_action", "insert into audit_log (action, subject, trace_id) values ('Signed in', 'x', 'x')".into()),
        ("audit_log_hash_lengths", "insert into audit_log (action, subject, trace_id, before_hash) values ('a.b', 'x', 'x', '\\x00')".into()),

        ("payments_mode", format!("update payments set mode = 'prod' {q}")),
        ("payments_source", format!("update payments set source = 'fax' {q}")),
        ("payments_status", format!("update payments set {}, expires_at = null {q}", state("PAID", "UNKNOWN"))),
        ("payments_money_state", format!("update payments set {} {q}", state("IN_PROGRESS", "GONE"))),
        ("payments_state_agrees", format!("update payments set money_state = 'REVERSED' {q}")),
        ("payments_money_fits", format!("update payments set {} {d}", state("DONE", "NOT_MOVED"))),
        ("payments_money_fits", format!("update payments set {} {q}", state("IN_PROGRESS", "MOVED"))),
        ("payments_state_agrees", format!("update payments set reserved_amount = 1 {d}")),
        ("payments_state_agrees", format!("update payments set {}, canceled_amount = 1 {d}", state("PARTIAL_CANCELED", "MOVED"))),
        ("payments_balance", format!("update payments set reserved_amount = 15001, state = state || '{{\"reserved\":15001}}' {d}")),
        ("payments_balance", format!("update payments set reserved_amount = -1, state = state || '{{\"reserved\":-1}}' {d}")),
        ("payments_canceled_means_so", format!("update payments set canceled_amount = 1, state = state || '{{\"canceled\":1}}' {d}")),
        ("payments_canceled_means_so", format!("update payments set {} {d}", state("PARTIAL_CANCELED", "MOVED"))),
        ("payments_canceled_means_so", format!("update payments set {}, capture_at = null {d}", state("CANCELED", "REVERSED"))),
        ("payments_capture", format!("update payments set capture_at = now() {q}")),
        ("payments_open_expires", format!("update payments set expires_at = null {q}")),
        ("payments_open_expires", format!("update payments set expires_at = now() {d}")),
        ("payments_currency", format!("update payments set currency = 'USD' {q}")),
        ("payments_amount", format!("update payments set total_amount = 0 {q}")),
        ("payments_tax_free", format!("update payments set tax_free_amount = 15001 {q}")),
        ("payments_tax_free", format!("update payments set tax_free_amount = -1 {q}")),
        ("payments_order_id", format!("update payments set order_id = 'short' {q}")),
        ("payments_order_name", format!("update payments set order_name = '' {q}")),
        ("payments_version", format!("update payments set version = 0 {q}")),
        ("payment_events_pkey", "insert into payment_events select * from payment_events limit 1".into()),
        ("payment_events_class", "update payment_events set class = 'rumour'".into()),
        ("payment_events_trace_id", "update payment_events set trace_id = 'x'".into()),

        ("operations_number_unique", format!("insert into operations (id, payment_id, number, kind, connector, amount, deadline_at, trace_parent) select gen_random_uuid(), payment_id, number, kind, connector, amount, now(), 'x' from operations {qo}")),
        ("operations_kind", format!("update operations set kind = 'gift' {qo}")),
        ("operations_status", format!("update operations set status = 'lost', nudge_at = null {qo}")),
        ("operations_connector", format!("update operations set connector = 'pigeon' {qo}")),
        ("operations_amount", format!("update operations set amount = 0 {qo}")),
        ("operations_target", format!("update operations set kind = 'net_cancel' {qo}")),
        ("operations_target", format!("update operations set target_reference = 'x' {qo}")),
        ("operations_processing_has_owner", format!("update operations set status = 'processing' {qo}")),
        ("operations_settled_has_result", format!("update operations set status = 'succeeded', nudge_at = null {qo}")),
        ("operations_settled_has_result", format!("update operations set result = null {dp}")),
        ("operations_owes_a_nudge", format!("update operations set nudge_at = null {qo}")),
        ("operations_owes_a_nudge", format!("update operations set nudge_at = now() {dp}")),
        ("operations_letter", format!("update operations set letter = 'love', letter_fence = 1 {qo}")),
        ("operations_letter_fence", format!("update operations set letter = 'replayable' {qo}")),

        ("attempts_call", format!("update attempts set call = 'gift' {at}")),
        ("attempts_answer", format!("update attempts set answer = 'maybe' {at}")),
        ("attempts_because", format!("update attempts set call = 'net_cancel', resolution = null, because = 'why not' {at}")),
        ("attempts_net_cancel_has_because", format!("update attempts set call = 'net_cancel', resolution = null {at}")),
        ("attempts_net_cancel_has_because", format!("update attempts set because = 'too_late' {at}")),
        ("attempts_resolution", format!("update attempts set resolution = 'gone' {at}")),
        ("attempts_only_money_resolves", format!("update attempts set call = 'inquire' {at}")),
        ("attempts_answered", format!("update attempts set answered_at = null {at}")),

        ("postings_kind", format!("update postings set kind = 'GIFT' {at}")),
        ("postings_accounts", format!("update postings set debit = 'mine' {at}")),
        ("postings_accounts", format!("update postings set debit = credit {at}")),
        ("postings_amount", format!("update postings set amount = 0 {at}")),
        ("postings_of_event", format!("update postings set version = 99 {at}")),
        ("postings_pkey", "insert into postings select * from postings limit 1".into()),
        ("postings_once", "insert into postings (payment_id, version, operation_id, merchant_id, mode, connector, kind, debit, credit, currency, amount) select payment_id, 1, operation_id, merchant_id, mode, connector, kind, debit, credit, currency, amount from postings limit 1".into()),

        ("payments_waiting_has_account", format!("update payments set expires_at = null, {} {q}", state("WAITING_FOR_DEPOSIT", "UNKNOWN"))),
        ("deposits_pkey", format!("insert into deposits select 'd-1', 'deposited', payment_id, version, 'r', 1, now() from payment_events where payment_id = '{}' limit 1", done.payment)),
        ("deposits_fact", format!("insert into deposits values ('d-2', 'rumoured', '{}', 1, 'r', 1, now())", done.payment)),
        ("deposits_amount", format!("insert into deposits values ('d-2', 'deposited', '{}', 1, 'r', 0, now())", done.payment)),
        ("deposits_of_event", format!("insert into deposits values ('d-2', 'deposited', '{}', 99, 'r', 1, now())", done.payment)),
        ("account_looks_payment_id_fkey", "insert into account_looks values ('r', gen_random_uuid(), now())".into()),
        ("bank_callbacks_event_id", "insert into bank_callbacks values ('', 'r')".into()),
        ("bank_callbacks_event_id", "insert into bank_callbacks values (repeat('x', 201), 'r')".into()),
        ("sealed_payees_length", format!("insert into sealed_payees values ('{op}', '{}', '110-123-456789')", queued.payment)),
        ("sealed_payees_length", format!("insert into sealed_payees values ('{op}', '{}', convert_to(repeat('x', 1025), 'utf8'))", queued.payment)),

        ("idempotency_keys_length", format!("insert into idempotency_keys values ('{merchant}', 'test', 'r', '', decode(repeat('00', 32), 'hex'), \'{{}}\', \'{}\', null, 1)", queued.payment)),
        ("idempotency_keys_length", format!("insert into idempotency_keys values ('{merchant}', 'test', 'r', repeat('k', 301), decode(repeat('00', 32), 'hex'), \'{{}}\', \'{}\', null, 1)", queued.payment)),
        ("idempotency_keys_answer", format!("insert into idempotency_keys values ('{merchant}', 'test', 'r', 'k', decode(repeat('00', 32), 'hex'), '{{}}', '{}')", queued.payment)),
        ("idempotency_keys_fingerprint", format!("insert into idempotency_keys values ('{merchant}', 'test', 'r', 'k', '\\x00', \'{{}}\', \'{}\', null, 1)", queued.payment)),

        ("dead_letters_kind", letter("kind, operation_id, fence", &format!("'love', '{op}', 1"))),
        ("dead_letters_operation", letter("kind, body", "'information', ''")),
        ("dead_letters_fence", letter("kind, operation_id", &format!("'information', '{op}'"))),
        ("dead_letters_poison_body", letter("kind", "'poison'")),
        ("cases_kind", format!("insert into cases values (gen_random_uuid(), '{}', '{op}', 'r', 'cold', '{{}}')", queued.payment)),
    ];
    for (constraint, sql) in table {
        let error = house.try_run(sql.clone()).await.expect_err(constraint);
        let refused_by = error.as_database_error().and_then(|error| error.constraint()).map(str::to_owned);
        assert_eq!(refused_by.as_deref(), Some(constraint), "{sql}: {error}");
    }

    let checks = house
        .ask("select string_agg(conname, ' ' order by conname) from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace and conrelid <> 0")
        .await;
    let source = include_str!("constraints.rs");
    for check in checks.split(' ') {
        assert!(source.contains(&format!("(\"{check}\"")), "{check} has no case");
    }
    house.leave().await;
}
