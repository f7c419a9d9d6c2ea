//! The guides do what they say: their commands are run as they stand, in their order, by a shell like the reader's.

use std::io::{BufRead as _, Read as _};

use naru_shared::domain::operation::Connector;
use naru_shared::domain::staff::Role;
use naru_testbed::{Gateway, PASSWORD, Payment};

/// What stands between two commands' outputs.
const SEPARATOR: char = '\u{1e}';

/// A command of a guide, and what the guide shows of its answer.
#[derive(Debug, Default)]
struct Example {
    command: String,
    shown: String,
}

/// The examples of a guide: its indented blocks. One that begins like an answer is the answer to the one before.
fn examples(guide: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut fenced = false;
    let mut before = "";
    for line in guide.lines() {
        fenced ^= line.starts_with("```");
        if let (Some(text), false) = (line.strip_prefix("    "), fenced) {
            let begins = !before.starts_with("    ");
            let is_answer = ["{", "id: "].iter().any(|start| text.starts_with(start));
            if begins && !is_answer {
                examples.push(Example::default());
            }
            let example = examples.last_mut().expect("a guide begins with a command");
            let part = if begins && is_answer || !example.shown.is_empty() {
                &mut example.shown
            } else {
                &mut example.command
            };
            part.push_str(text);
            part.push('\n');
        }
        before = line;
    }
    examples
}

/// The members that a shown answer names: `"status":` and the like.
fn members(shown: &str) -> Vec<&str> {
    let ends = shown.match_indices("\":").map(|(end, _)| &shown[..end]);
    ends.filter_map(|text| text.rsplit_once('"')).map(|(_, name)| name).filter(|name| !name.contains(' ')).collect()
}

/// Runs a guide in the folder of a gateway, and holds what is answered against what the guide shows. Returns all of it.
async fn follow(gateway: &Gateway, guide: &str, environment: &[(&str, &str)]) -> String {
    let examples = examples(guide);
    assert!(examples.len() > 3, "the guide has no commands any more?");
    let commands: Vec<&str> = examples.iter().map(|example| &*example.command).collect();
    let script = commands.join(&format!("printf '{SEPARATOR}'\n")).replace(". target/stack/env\n", "");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-e", "-u", "-c", &script]).current_dir(gateway.folder()).envs(environment.iter().copied());
    let run =
        tokio::task::spawn_blocking(move || shell.output()).await.expect("nobody stops it").expect("a shell runs");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{printed}\n{}", String::from_utf8_lossy(&run.stderr));
    let outputs: Vec<&str> = printed.split(SEPARATOR).collect();
    assert_eq!(outputs.len(), examples.len(), "{printed}");
    for (example, output) in examples.iter().zip(outputs) {
        let refused = output.contains("/problems/");
        assert_eq!(refused, example.shown.contains("/problems/"), "{example:?} answers\n{output}");
        for member in members(&example.shown) {
            assert!(output.contains(&format!("\"{member}\":")), "{member} of {example:?} is not in\n{output}");
        }
    }
    printed
}

/// The page of each method, which goes on in the shell of the guide.
const METHODS: &[(Connector, &str)] = &[
    (Connector::Card, include_str!("../../../docs/methods/card.md")),
    (Connector::Transfer, include_str!("../../../docs/methods/transfer.md")),
    (Connector::VirtualAccount, include_str!("../../../docs/methods/virtual_account.md")),
    (Connector::Mobile, include_str!("../../../docs/methods/mobile.md")),
    (Connector::Points, include_str!("../../../docs/methods/points.md")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_a_payment() {
    for connector in Connector::ALL {
        assert!(METHODS.iter().any(|(method, _)| method == connector), "{connector:?} has no page in docs/methods");
    }
    let gateway = Gateway::start().await;
    let environment = [
        ("NARU_API_URL", &*gateway.shop.url("")),
        ("NARU_SECRET_KEY", &gateway.shop.secret_key),
        ("NARU_SIMULATOR_URL", gateway.bank.url()),
    ];
    let others = [include_str!("../../../docs/toss-compatibility.md")];
    let pages = METHODS.iter().map(|(_, page)| *page).chain(others);
    let (_, by_hand) = include_str!("../../../README.md").split_once("By hand it is:").expect("the README says how");
    let (by_hand, _) = by_hand.split_once("\n## ").expect("that has an end");
    let guide: Vec<&str> = [by_hand, include_str!("../../../docs/api.md")].into_iter().chain(pages).collect();
    let printed = follow(&gateway, &guide.join("\n"), &environment).await;
    for part in
        ["\"status\":\"READY\"", "\"status\":\"DONE\"", "\"status\":\"PARTIAL_CANCELED\"", "event: payment.done"]
    {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
    // What it wrote down holds tokens; the logs of this test are looked through for them.
    for file in ["created.json", "account.json", "sent.json"] {
        std::fs::remove_file(gateway.folder().join(file)).expect("the guide writes it");
    }
    gateway.check().await;
    // Each method paid once, and was confirmed.
    let paid = "select distinct o.connector from operations o join payments p on p.id = o.payment_id
        where p.status in ('DONE', 'PARTIAL_CANCELED', 'CANCELED')";
    let mut paid: Vec<String> = sqlx::query_scalar(paid).fetch_all(gateway.db()).await.expect("Postgres answers");
    let mut all: Vec<&str> = Connector::ALL.iter().map(|connector| connector.as_str()).collect();
    paid.sort_unstable();
    all.sort_unstable();
    assert_eq!(paid, all);
}

/// The guide's function for a page that waits, as it stands, by Node: it says what happened, and ends by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_in_a_page() {
    let gateway = Gateway::start().await;
    let guide = include_str!("../../../docs/api.md");
    let (_, code) = guide.split_once("```js\n").expect("the guide has it");
    let (code, _) = code.split_once("\n```").expect("it ends");
    let page = format!("{code}\nawait follow(process.argv[1], process.env.TOKEN, (event) => console.log(event));");
    let order = Payment::of(12_000);
    let created = gateway.shop.authenticated(&order).await;
    let address = gateway.shop.url(&format!("/v1/payments/{}/events", created.payment_key()));
    let mut node = std::process::Command::new("node");
    node.args(["--input-type=module", "-e", &page, &address]).env("TOKEN", created.text("checkoutToken"));
    let mut node = node.stdout(std::process::Stdio::piped()).spawn().expect("Node runs");
    let mut said = std::io::BufReader::new(node.stdout.take().expect("it is piped"));
    let (first, mut said) = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        let read = said.read_line(&mut line);
        read.map(|_| (line, said)).expect("it says something")
    })
    .await
    .expect("nobody stops it");
    assert_eq!(first, "snapshot\n");
    let _ = gateway.shop.confirm(created.payment_key(), &order.order_id, 12_000).await.expecting(200);
    let (rest, ended) = tokio::task::spawn_blocking(move || {
        let mut rest = String::new();
        let read = said.read_to_string(&mut rest);
        (read.map(|_| rest).expect("it says more"), node.wait().expect("it ends"))
    })
    .await
    .expect("nobody stops it");
    assert!(ended.success() && rest.contains("payment.done\n"), "{ended}: {rest}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paying_with_an_account() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let created = gateway.shop.create(&Payment::of(15_000)).await.expecting(200);
    let environment = [
        ("NARU_API_URL", &*gateway.shop.url("")),
        ("NARU_PAYER_EMAIL", &payer.email),
        ("NARU_PAYER_PASSWORD", &payer.password),
        ("CHECKOUT", created.text("checkout.url")),
    ];
    let printed = follow(&gateway, include_str!("../../../docs/payer-api.md"), &environment).await;
    assert!(printed.contains("\"status\":\"IN_PROGRESS\""), "{printed}");
    std::fs::remove_file(gateway.folder().join("jar")).expect("the guide writes it");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn working_for_a_merchant() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let environment = [
        ("NARU_API_URL", owner.own_origin()),
        ("NARU_STAFF_MID", &company.mid),
        ("NARU_STAFF_EMAIL", &owner.email),
        ("NARU_STAFF_PASSWORD", PASSWORD),
    ];
    let printed = follow(&gateway, include_str!("../../../docs/backoffice.md"), &environment).await;
    for part in [
        "\"signedIn\":true",
        "\"role\":\"read-only\"",
        "\"status\":\"ENDED\"",
        "\"changed\":true",
        "\"signedIn\":false",
    ] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
    // What it wrote down holds keys and a session; the logs of this test are looked through for them.
    for file in ["jar", "invitation.json", "key.json", "rolled.json", "staff.json"] {
        std::fs::remove_file(gateway.folder().join(file)).expect("the guide writes it");
    }
}
