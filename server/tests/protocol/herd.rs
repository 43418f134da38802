//! What a large class asks for: the manifest changes with transitions alone, and counts are events.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use emofed::protocol::{Event, EventMessage, FederationStatus, instructor_path, path};
use reqwest::header::ETAG;
use tokio::task::JoinHandle;

use emofed::protocol::RoundSettings;

use super::harness::{INSTRUCTOR, TestServer, delta, fresh};

const LISTENERS: usize = 20;
const UPDATES: u32 = 30;

/// Listens until the round `round` is opened; gives what came, and when.
fn listen(server: &TestServer, round: u64) -> JoinHandle<Vec<(Instant, EventMessage)>> {
    let request = server.client.get(server.url(path::EVENTS));
    tokio::spawn(async move {
        let mut stream = request.send().await.unwrap();
        let (mut text, mut heard) = (String::new(), Vec::new());
        loop {
            text += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
            while let Some((block, rest)) = text.split_once("\n\n") {
                if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data:")) {
                    let message = EventMessage::read(data);
                    let is_last = matches!(message.event, Event::RoundOpened { round: opened, .. } if opened == round);
                    heard.push((Instant::now(), message));
                    if is_last {
                        return heard;
                    }
                }
                text = rest.to_owned();
            }
        }
    })
}

async fn tag_and_length(server: &TestServer) -> (String, usize) {
    let answer = server.client.get(server.url(path::MANIFEST)).send().await.unwrap();
    let tag = answer.headers()[ETAG].to_str().unwrap().to_owned();
    (tag, answer.bytes().await.unwrap().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_leave_the_manifest_alone_and_their_count_comes_once_a_second() {
    let folder = fresh();
    let rounds = RoundSettings { minimum_clients: UPDATES, ..RoundSettings::default() };
    let server = TestServer::start_with(folder.path(), rounds).await;
    let listening: Vec<_> = (0..LISTENERS).map(|_| listen(&server, 2)).collect();
    while server.federation.events().listeners() < LISTENERS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = tag_and_length(&server).await;
    let started = Instant::now();
    let mut seen = BTreeSet::new();
    for number in 1..=UPDATES {
        let one = server.join().await;
        let update = server.update(1, delta(0.1)).await;
        if number == UPDATES {
            // All but the last, which closes the round: the last count of the open round is told within a second.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            assert_eq!(tag_and_length(&server).await, before, "an update changes nothing in the manifest");
            let request = server.client.get(server.url(instructor_path::STATUS)).bearer_auth(INSTRUCTOR);
            let status: FederationStatus = request.send().await.unwrap().json().await.unwrap();
            assert_eq!(status.round.unwrap().received, UPDATES - 1, "the instructor has the exact count");
        }
        assert!(server.send(&one, &update).await.status().is_success());
        if number < UPDATES {
            seen.insert(tag_and_length(&server).await);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(seen, BTreeSet::from([before.clone()]));
    let mut told = 0;
    for listener in listening {
        let heard = listener.await.unwrap();
        let counts: Vec<(Instant, u32)> = heard
            .iter()
            .filter_map(|(at, message)| match message.event {
                Event::UpdateReceived { round: 1, received } => Some((*at, received)),
                _ => None,
            })
            .collect();
        assert_eq!(counts[0].1, 0, "who listens is told the present count first");
        let received: Vec<u32> = counts.iter().map(|(_, received)| *received).collect();
        assert!(received.is_sorted() && received.contains(&(UPDATES - 1)), "{received:?}");
        assert_eq!(received.last(), Some(&UPDATES), "the last count comes before the round's end");
        // One at the start, one a second, and the last one with the end.
        let most = 3 + started.elapsed().as_secs() as usize;
        assert!(counts.len() <= most, "{} counts, {most} at the most", counts.len());
        for pair in counts[1..counts.len() - 1].windows(2) {
            let apart = pair[1].0 - pair[0].0;
            assert!(apart > Duration::from_millis(800), "{apart:?} between two counts");
        }
        told += counts.len();
        let transitions = heard.iter().filter(|(_, message)| !matches!(message.event, Event::UpdateReceived { .. }));
        let spreads: Vec<Option<u32>> = transitions.map(|(_, message)| message.within_ms).collect();
        assert_eq!(spreads[0], Some(2 * LISTENERS as u32), "the spread is that of the class");
        assert!(spreads.iter().all(Option::is_some), "{spreads:?}");
    }
    assert!(told < LISTENERS * UPDATES as usize / 2, "{told} events for {UPDATES} updates");
    assert_ne!(tag_and_length(&server).await.0, before.0, "a transition changes it");
}

#[tokio::test]
async fn the_spread_and_the_time_to_reconnect_grow_with_the_class() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let mut spreads = Vec::new();
    let mut streams = Vec::new();
    for class in [1, 10, 25] {
        while streams.len() < class {
            streams.push(server.client.get(server.url(path::EVENTS)).send().await.unwrap());
        }
        let (_, mut events) = server.federation.events().subscribe(None);
        server.federation.set_lecture(emofed::protocol::Lecture::None).unwrap();
        spreads.push(events.recv().await.unwrap().message.within_ms.unwrap());
    }
    // The test itself is one of those who listen.
    assert_eq!(spreads, [4, 22, 52]);

    let mut text = String::new();
    while !text.contains("lecture-changed") {
        text += std::str::from_utf8(&streams[0].chunk().await.unwrap().unwrap()).unwrap();
    }
    let retries: Vec<u64> =
        text.lines().filter_map(|line| line.strip_prefix("retry:")).map(|ms| ms.trim().parse().unwrap()).collect();
    assert!(retries.len() >= 2, "with the first event, and with each transition: {text}");
    assert!(retries.iter().all(|ms| (1_000..1_060).contains(ms)), "{retries:?}");
}
