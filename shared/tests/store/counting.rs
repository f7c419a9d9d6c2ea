//! What a payment costs: round trips to Postgres and commits, from acceptance to outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use naru_shared::store::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::house::{House, MANNERS, approved, options, outcome, wanted};

/// Stands before Postgres and counts how often it says that it is ready for the next query: once a round trip. Outside
/// a transaction block, as here, that is a commit, too.
async fn proxy(url: &str) -> (String, Arc<AtomicU32>) {
    let (head, rest) = url.rsplit_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let server = server.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = listener.local_addr().unwrap();
    let trips = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&trips);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, trips) = (TcpStream::connect(&server).await.unwrap(), Arc::clone(&counted));
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                // Sqlx asks for TLS first; the answer to that is one byte.
                let refused = from_server.read_u8().await.unwrap();
                to_client.write_u8(refused).await.unwrap();
                while let Ok(kind) = from_server.read_u8().await {
                    let length = from_server.read_u32().await.unwrap();
                    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
                    from_server.read_exact(&mut body).await.unwrap();
                    let message = [&[kind], &length.to_be_bytes()[..], &body].concat();
                    if kind == b'Z' {
                        trips.fetch_add(1, Ordering::SeqCst);
                    }
                    if to_client.write_all(&message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (format!("{head}@{ours}/{database}"), trips)
}

#[tokio::test]
async fn a_payment_takes_three_round_trips_and_three_commits_and_a_batch_of_them_fewer() {
    let mut house = House::enter().await;
    let (url, trips) = proxy(&house.url).await;
    house.store = Store::new(&url, &options(1)).unwrap();
    let mut told = Vec::new();
    // The first round prepares its statements.
    for payments in [1_u32, 1, 64] {
        let before = trips.load(Ordering::SeqCst);
        let mut wants = Vec::new();
        for _ in 0..payments {
            wants.push(wanted(house.sells().await.operation));
        }
        let claims = house.store.claim(house.worker, &wants, MANNERS).await.unwrap();
        let outcomes: Vec<_> = claims.iter().map(|(claimed, _)| outcome(claimed, &approved())).collect();
        house.store.record_batch(&outcomes).await.unwrap();
        told.push((payments, trips.load(Ordering::SeqCst) - before));
    }
    assert_eq!(told[1..], [(1, 3), (64, 66)], "payments, round trips");
    house.leave().await;
}
