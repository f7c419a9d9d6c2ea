//! One connection to Redis, and how to know that it still answers.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, ProtocolVersion, RedisResult,
    aio::{AsyncPushSender, MultiplexedConnection},
    io::tcp::TcpSettings,
};

/// How long connecting may take, handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long any answer may take; a Redis that is frozen, or gone without a word, never gives one.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a connection is asked whether it is still there.
pub(super) const PING_EVERY: Duration = Duration::from_secs(1);
/// The longest wait between attempts to connect. Short, since waiting pages are late meanwhile.
pub(super) const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(2);

/// A client for `url`. Nothing is connected yet.
pub(super) fn client(url: &str) -> RedisResult<Client> {
    let info = url.into_connection_info()?;
    // RESP3 brings published messages on the connection that also answers pings.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    // A wake-up is one small packet, and is not to wait for another.
    let tcp = TcpSettings::default().set_nodelay(true);
    Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

pub(super) async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    client.get_multiplexed_async_connection_with_config(&config()).await
}

pub(super) async fn connect_with_pushes(
    client: &Client,
    pushes: impl AsyncPushSender,
) -> RedisResult<MultiplexedConnection> {
    client.get_multiplexed_async_connection_with_config(&config().set_push_sender(pushes)).await
}

/// An error when there is no answer in time.
pub(super) async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    redis::cmd("PING").query_async(connection).await
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
}
