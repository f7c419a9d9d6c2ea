//! One test's virtual host at the broker, by the management plugin's HTTP API.

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A virtual host of this test.
#[derive(Clone)]
pub(crate) struct VirtualHost {
    /// `amqp://user:password@host:port/vhost`
    pub(crate) url: String,
    management: String,
    name: String,
    /// Whether it is ours to delete; a server of the test's own goes as a whole.
    made: bool,
    client: Client,
}

impl VirtualHost {
    /// A new one on the shared broker.
    pub(crate) async fn create(amqp: &str, management: &str, name: &str) -> Self {
        let (server, _) = split(amqp);
        let url = format!("{server}/{name}");
        let vhost =
            Self { url, management: management.to_owned(), name: name.to_owned(), made: true, client: client() };
        vhost.call(Method::PUT, &format!("vhosts/{name}"), Some(json!({}))).await;
        let user = user_of(amqp);
        let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        vhost.call(Method::PUT, &format!("permissions/{name}/{user}"), Some(all)).await;
        vhost
    }

    /// The one that a broker of the test's own comes with.
    pub(crate) fn of(amqp: &str, management: &str) -> Self {
        let (_, name) = split(amqp);
        Self {
            url: amqp.to_owned(),
            management: management.to_owned(),
            name: name.to_owned(),
            made: false,
            client: client(),
        }
    }

    /// Messages in each queue as the broker's statistics tell it, a few seconds late.
    pub(crate) async fn queues(&self) -> Value {
        self.call(Method::GET, &format!("queues/{}", self.name), None).await
    }

    /// Deletes it with all that is in it.
    pub(crate) async fn delete(&self) {
        if self.made {
            self.call(Method::DELETE, &format!("vhosts/{}", self.name), None).await;
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let what = format!("{method} {path}");
        let mut request = self.client.request(method, format!("{}/api/{path}", self.management));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what} at the broker: {error}"));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "{what} at the broker: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

fn client() -> Client {
    crate::http::client(std::time::Duration::from_secs(30))
}

fn split(amqp: &str) -> (&str, &str) {
    amqp.rsplit_once('/').expect("amqp://user:password@host:port/vhost")
}

fn user_of(amqp: &str) -> &str {
    let user = amqp.split_once("://").and_then(|(_, rest)| rest.split_once(':'));
    user.expect("amqp://user:password@host:port/vhost").0
}
