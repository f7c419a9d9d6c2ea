//! A TCP proxy that a test commands: it stands before a server and cuts, freezes, refuses or delays.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use naru_servers::free_ports;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What the client says.
    ToServer,
    /// What the server says.
    ToClient,
}

/// A proxy before one server. Dropping it ends every connection through it.
pub struct Proxy {
    port: u16,
    orders: watch::Sender<Orders>,
    passing: Arc<Passing>,
    listening: JoinHandle<()>,
}

/// How connections are treated now.
#[derive(Debug, Clone, Default)]
struct Orders {
    /// Raised by each cut: connections older than it are reset.
    cuts: u64,
    /// Raised by each strand: connections older than it carry nothing any more.
    strands: u64,
    /// Nobody listens.
    refuses: bool,
    to_server: Way,
    to_client: Way,
}

/// How bytes of one direction are treated now.
#[derive(Debug, Clone, Default)]
struct Way {
    /// Nothing goes on; the kernel takes what still comes, as a network does that has lost the route back.
    frozen: bool,
    /// Each piece waits so long, between least and most.
    delay: Option<(Duration, Duration)>,
    /// After so many bytes in all the connection that carries them is reset.
    cut_after: Option<u64>,
}

/// Bytes that went through since the last order, per direction.
#[derive(Debug, Default)]
struct Passing {
    to_server: AtomicU64,
    to_client: AtomicU64,
}

impl Proxy {
    /// A proxy before `server`, on a port of its own. The seed decides the delays.
    pub(crate) async fn start(server: SocketAddr, seed: u64) -> Self {
        let port = free_ports(1).unwrap_or_else(|failure| panic!("{failure}"))[0];
        let (orders, obeyed) = watch::channel(Orders::default());
        let passing = Arc::new(Passing::default());
        let listener = listen(port).await.expect("the port is free");
        let listening = tokio::spawn(accept(port, server, obeyed, Arc::clone(&passing), listener, seed));
        Self { port, orders, passing, listening }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Resets every connection, at once. New ones are let through.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Whatever is connected now carries nothing any more and is never told, as when a firewall forgets it or the server's
    /// machine is replaced. New connections are let through.
    pub fn strand(&self) {
        self.orders.send_modify(|orders| orders.strands += 1);
    }

    /// Nothing goes through any more, either way; connections stay open, new ones are accepted, and there is silence.
    pub fn freeze(&self) {
        self.freeze_only(Direction::ToServer);
        self.freeze_only(Direction::ToClient);
    }

    /// Nothing goes through any more in this direction.
    pub fn freeze_only(&self, direction: Direction) {
        self.order(direction, |way| way.frozen = true);
    }

    /// Resets every connection and refuses new ones.
    pub fn refuse(&self) {
        self.orders.send_modify(|orders| {
            orders.refuses = true;
            orders.cuts += 1;
        });
    }

    /// Everything in this direction takes so much longer, between least and most.
    pub fn delay(&self, direction: Direction, least: Duration, most: Duration) {
        self.order(direction, |way| way.delay = Some((least, most)));
    }

    /// Lets `bytes` more through in this direction, counted over all connections, and then resets the one that has more.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.passing.of(direction).store(0, Ordering::SeqCst);
        self.order(direction, |way| way.cut_after = Some(bytes));
    }

    /// All is well again. What was held back goes on.
    pub fn heal(&self) {
        self.orders
            .send_modify(|orders| *orders = Orders { cuts: orders.cuts, strands: orders.strands, ..Orders::default() });
    }

    fn order(&self, direction: Direction, change: impl FnOnce(&mut Way)) {
        self.orders.send_modify(|orders| change(orders.way_mut(direction)));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        // Connections end when `orders` is gone.
    }
}

impl Orders {
    fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    fn way_mut(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

impl Passing {
    fn of(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

async fn accept(
    port: u16,
    server: SocketAddr,
    mut orders: watch::Receiver<Orders>,
    passing: Arc<Passing>,
    listener: TcpListener,
    seed: u64,
) {
    let mut listener = Some(listener);
    let mut number = seed;
    loop {
        let refuses = orders.borrow_and_update().refuses;
        match (&listener, refuses) {
            // Only a socket that nobody listens on is refused by the kernel.
            (Some(_), true) => listener = None,
            (None, false) => listener = listen(port).await.ok(),
            (Some(_), false) | (None, true) => {}
        }
        let arrived = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            arrived = arrived => {
                let Ok((client, _)) = arrived else { continue };
                number = number.wrapping_add(1);
                let carried = carry(client, server, orders.clone(), Arc::clone(&passing), StdRng::seed_from_u64(number));
                tokio::spawn(carried);
            }
        }
    }
}

/// Carries one connection until either side ends it, or a cut does.
async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    mut orders: watch::Receiver<Orders>,
    passing: Arc<Passing>,
    mut dice: StdRng,
) {
    let Orders { cuts, strands, .. } = *orders.borrow_and_update();
    let Ok(mut server) = TcpStream::connect(server).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let was_cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let dice_too = StdRng::seed_from_u64(dice.random());
        let up = Pump { direction: Direction::ToServer, cuts, orders: orders.clone(), passing: &passing, dice };
        let down =
            Pump { direction: Direction::ToClient, cuts, orders: orders.clone(), passing: &passing, dice: dice_too };
        let pumps = async {
            tokio::select! {
                cut = up.run(from_client, to_server) => cut,
                cut = down.run(from_server, to_client) => cut,
            }
        };
        let mut stranding = orders.clone();
        let stranded = async {
            let _ = stranding.wait_for(|orders| orders.strands != strands).await;
        };
        let pumps = async {
            tokio::select! {
                cut = pumps => cut,
                () = stranded => std::future::pending().await,
            }
        };
        tokio::select! {
            // An error: the proxy is gone.
            _ = orders.wait_for(|orders| orders.cuts != cuts) => true,
            cut = pumps => cut,
        }
    };
    if was_cut {
        // Closing without lingering sends RST.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// Carries the bytes of one direction.
struct Pump<'a> {
    direction: Direction,
    /// Cuts before this connection.
    cuts: u64,
    orders: watch::Receiver<Orders>,
    passing: &'a Passing,
    dice: StdRng,
}

impl Pump<'_> {
    /// Until an end, or an order to cut: then true.
    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> bool {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let Ok(length) = from.read(&mut buffer).await else { return true };
            let direction = self.direction;
            let was_cut = match self.orders.wait_for(|orders| !orders.way(direction).frozen).await {
                // What is cut and then healed was cut: nothing that was held back goes on.
                Ok(orders) => orders.cuts != self.cuts,
                Err(_) => true,
            };
            if was_cut {
                return true;
            }
            if length == 0 {
                return false;
            }
            let way = self.orders.borrow().way(direction).clone();
            if let Some((least, most)) = way.delay {
                tokio::time::sleep(self.dice.random_range(least..=most)).await;
                if self.orders.borrow().cuts != self.cuts {
                    return true;
                }
            }
            let length64 = u64::try_from(length).unwrap_or(u64::MAX);
            let before = self.passing.of(direction).fetch_add(length64, Ordering::SeqCst);
            let allowed = way.cut_after.map_or(length64, |limit| limit.saturating_sub(before).min(length64));
            let allowed = usize::try_from(allowed).unwrap_or(length);
            if to.write_all(&buffer[..allowed]).await.is_err() || allowed < length {
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that echoes, a proxy before it, and a client connected through it.
    async fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        let proxy = Proxy::start(address, 7).await;
        let client = connect(&proxy).await.expect("it listens");
        (proxy, client)
    }

    async fn connect(proxy: &Proxy) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await
    }

    async fn hears(client: &mut TcpStream, word: &[u8]) -> io::Result<bool> {
        client.write_all(word).await?;
        let mut heard = vec![0; word.len()];
        match tokio::time::timeout(Duration::from_millis(200), client.read_exact(&mut heard)).await {
            Ok(Ok(_)) => Ok(heard == word),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    #[tokio::test]
    async fn a_cut_resets_and_lets_the_next_one_through() {
        let (proxy, mut client) = echo().await;
        assert!(hears(&mut client, b"one").await.expect("it is up"));
        proxy.cut();
        let error = client.read_u8().await.expect_err("it is reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let mut next = connect(&proxy).await.expect("it listens");
        assert!(hears(&mut next, b"two").await.expect("it is up"));
    }

    #[tokio::test]
    async fn frozen_is_silent_and_loses_nothing() {
        let (proxy, mut client) = echo().await;
        assert!(hears(&mut client, b"one").await.expect("it is up"));
        proxy.freeze_only(Direction::ToClient);
        assert!(!hears(&mut client, b"two").await.expect("it stays open"));
        let mut silent = connect(&proxy).await.expect("it is accepted");
        assert!(!hears(&mut silent, b"hello").await.expect("it stays open"));
        proxy.heal();
        let mut heard = [0; 3];
        client.read_exact(&mut heard).await.expect("what was held back comes");
        assert_eq!(&heard, b"two");
    }

    #[tokio::test]
    async fn refused_until_healed() {
        let (proxy, _client) = echo().await;
        proxy.refuse();
        let patience = Duration::from_secs(5);
        crate::eventually("it refuses", patience, async || {
            let error = connect(&proxy).await.err()?;
            (error.kind() == io::ErrorKind::ConnectionRefused).then_some(())
        })
        .await;
        proxy.heal();
        crate::eventually("it listens", patience, async || connect(&proxy).await.ok()).await;
    }

    #[tokio::test]
    async fn what_is_stranded_stays_silent_and_the_next_one_is_let_through() {
        let (proxy, mut client) = echo().await;
        assert!(hears(&mut client, b"one").await.expect("it is up"));
        proxy.strand();
        assert!(!hears(&mut client, b"two").await.expect("it stays open"));
        let mut next = connect(&proxy).await.expect("it listens");
        assert!(hears(&mut next, b"two").await.expect("it is up"));
    }

    #[tokio::test]
    async fn a_cut_after_some_bytes_lets_those_through() {
        let (proxy, mut client) = echo().await;
        proxy.cut_after(Direction::ToServer, 2);
        client.write_all(b"abc").await.expect("it is up");
        let mut heard = Vec::new();
        let ended = client.read_to_end(&mut heard).await;
        assert!(ended.is_err() || heard.len() <= 2, "{heard:?}");
    }
}
