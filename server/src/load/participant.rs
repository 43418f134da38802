//! One participant: joins, listens, asks for the manifest after events, and contributes when it is its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use emofed::protocol::{Event, EventMessage, Manifest, OpenRound, ProblemCode};
use emofed::random::SplitMix64;
use reqwest::Response;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use super::LoadError;
use super::api::{Answer, Api, Sending};
use super::body::{Attack, Fault};
use super::class::Class;

/// Attempts of a call that gets no answer, and the pause before another.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// Mean time between two requests for the manifest without an event, and the largest deviation, as in a tab.
const POLL_MS: f64 = 63_000.0;
const POLL_JITTER_MS: f64 = 3_000.0;

pub(super) struct Participant {
    index: usize,
    class: Arc<Class>,
    random: SplitMix64,
    token: String,
    /// The manifest's tag, and the version of its model.
    tag: Option<String>,
    version: u64,
    /// The last round that it had its turn in, or had none.
    round: u64,
    last_id: Option<String>,
    /// How often it went on to another address.
    moves: AtomicUsize,
}

impl Participant {
    pub fn new(index: usize, class: Arc<Class>) -> Self {
        // Not the numbers that decide about contributions.
        let random = SplitMix64::new(!class.settings.seed ^ (index as u64) << 1);
        Self {
            index,
            class,
            random,
            token: String::new(),
            tag: None,
            version: 0,
            round: 0,
            last_id: None,
            moves: AtomicUsize::new(0),
        }
    }

    /// Lives until it is aborted. `joining` limits how many join at a time.
    pub async fn run(mut self, joining: Arc<Semaphore>) {
        let Ok(permit) = joining.acquire_owned().await else { return };
        let class = self.class.clone();
        match self.join().await {
            Ok(token) => self.token = token,
            Err(error) => return class.unexpected(format!("a participant cannot join: {error}")),
        }
        let mut stream = match self.listen().await {
            Ok(stream) => stream,
            Err(error) => return class.unexpected(format!("a participant cannot listen: {error}")),
        };
        class.listens();
        drop(permit);
        let begun = class.begun();
        tokio::pin!(begun);
        let mut has_begun = false;
        let mut text = String::new();
        // When the manifest is asked for: after an event, or by the schedule.
        let mut due = None;
        let mut next_poll = self.next_poll();
        loop {
            tokio::select! {
                within_ms = &mut begun, if !has_begun => {
                    has_begun = true;
                    due = Some(self.after(within_ms));
                    next_poll = self.next_poll();
                }
                chunk = stream.chunk() => match chunk {
                    Ok(Some(chunk)) => {
                        text += &String::from_utf8_lossy(&chunk);
                        for message in self.messages(&mut text) {
                            class.heard(&message.event);
                            if has_begun && !matches!(message.event, Event::UpdateReceived { .. }) && due.is_none() {
                                due = Some(self.after(message.within_ms.unwrap_or_default()));
                            }
                        }
                    }
                    _ => stream = self.reconnected(&mut text).await,
                },
                () = sleep_until(due.unwrap_or(next_poll)), if has_begun && (due.is_some() || class.settings.polls) => {
                    due = None;
                    if let Err(error) = self.synchronise().await {
                        self.move_on();
                        class.outcome(&format!("no manifest: {error}"));
                    }
                    next_poll = self.next_poll();
                }
            }
        }
    }

    /// The calls of the address that it is at.
    fn api(&self) -> &Api {
        let apis = &self.class.apis;
        &apis[(self.index + self.moves.load(Ordering::Relaxed)) % apis.len()]
    }

    /// Goes on to the next address, if there is another.
    fn move_on(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    async fn join(&self) -> Result<String, LoadError> {
        let mut attempt = 1;
        loop {
            match self.api().join(&self.class.settings.join_code).await {
                Err(_) if attempt < ATTEMPTS => self.pause(&mut attempt).await,
                joined => return joined,
            }
        }
    }

    async fn listen(&self) -> Result<Response, LoadError> {
        let mut attempt = 1;
        loop {
            match self.api().events(None).await {
                Err(_) if attempt < ATTEMPTS => self.pause(&mut attempt).await,
                stream => return stream,
            }
        }
    }

    async fn pause(&self, attempt: &mut u32) {
        self.move_on();
        sleep(PAUSE * *attempt).await;
        *attempt += 1;
    }

    fn after(&mut self, within_ms: u32) -> Instant {
        Instant::now() + Duration::from_secs_f64(f64::from(within_ms) / 1e3 * self.random.open_unit())
    }

    fn next_poll(&mut self) -> Instant {
        let ms = POLL_MS + POLL_JITTER_MS * f64::from(self.random.signed());
        Instant::now() + Duration::from_secs_f64(ms / 1e3)
    }

    /// The complete messages of `text`, which are taken out of it.
    fn messages(&mut self, text: &mut String) -> Vec<EventMessage> {
        let mut messages = Vec::new();
        while let Some((block, rest)) = text.split_once("\n\n") {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some(id) = field("id:") {
                self.last_id = Some(id.to_owned());
            }
            messages.extend(field("data:").map(EventMessage::read));
            *text = rest.to_owned();
        }
        messages
    }

    async fn reconnected(&mut self, text: &mut String) -> Response {
        text.clear();
        loop {
            self.class.outcome("an event stream broke");
            sleep(PAUSE + Duration::from_secs_f64(self.random.open_unit())).await;
            match self.api().events(self.last_id.as_deref()).await {
                Ok(stream) => return stream,
                Err(_) => self.move_on(),
            }
        }
    }

    /// Asks for the manifest, fetches a new model if tabs are to do that, and contributes.
    async fn synchronise(&mut self) -> Result<(), LoadError> {
        let Some((manifest, tag)) = self.api().manifest(self.tag.as_deref()).await? else { return Ok(()) };
        self.class.saw(&manifest);
        if self.class.settings.fetches_weights && manifest.model.version != self.version {
            self.api().weights(&manifest).await?;
        }
        self.version = manifest.model.version;
        // Only now: what failed so far is tried again at the next request.
        self.tag = Some(tag);
        self.contribute(&manifest).await;
        Ok(())
    }

    async fn contribute(&mut self, manifest: &Manifest) {
        let Some(round) = manifest.round.clone().filter(|round| round.id != self.round) else { return };
        self.round = round.id;
        let Some((fault, random)) = self.class.part(self.index, round.id) else { return };
        self.class.contributes();
        match fault {
            Some(Fault::Hostile) => self.attack(round, random).await,
            Some(Fault::Stale) => {
                let body = self.body(&round, random, |bodies, round, random| bodies.stale(round, random)).await;
                let answer = self.sent(&round, body, Sending::Whole).await;
                self.expect("stale", answer, ProblemCode::StaleBase);
            }
            None | Some(Fault::Slow | Fault::Dropping | Fault::Duplicate) => self.good(fault, round, random).await,
        }
        self.class.has_contributed();
    }

    async fn good(&self, fault: Option<Fault>, round: OpenRound, random: SplitMix64) {
        let body = self.body(&round, random, |bodies, round, random| bodies.good(round, random)).await;
        if fault == Some(Fault::Dropping) {
            match self.api().update(&self.token, round.id, body.clone(), Sending::Half).await {
                Answer::None => self.class.outcome("broken off, as intended"),
                answer => self.class.unexpected(format!("half an update: {answer:?}")),
            }
        }
        let sending = if fault == Some(Fault::Slow) { Sending::Slowly } else { Sending::Whole };
        let first = self.sent(&round, body.clone(), sending).await;
        match first {
            Answer::Acknowledged => {
                self.class.acknowledged(round.id);
                self.class.outcome("acknowledged");
            }
            // Others were faster, and the round had enough.
            Answer::Refused(ProblemCode::RoundNotOpen) => self.class.outcome("too late for its round"),
            answer => self.class.unexpected(format!("a good update: {answer:?}")),
        }
        if fault == Some(Fault::Duplicate) {
            let second = self.sent(&round, body, Sending::Whole).await;
            if second == first {
                self.class.outcome("sent twice, answered alike");
            } else {
                self.class.unexpected(format!("the same update again: {second:?} after {first:?}"));
            }
        }
    }

    async fn attack(&self, round: OpenRound, mut random: SplitMix64) {
        let attack = Attack::ALL[random.below(Attack::ALL.len())];
        let body = self.body(&round, random, move |bodies, round, random| bodies.hostile(attack, round, random)).await;
        let token = if attack == Attack::Stranger { "nobody" } else { &self.token };
        let answer = self.api().update(token, round.id, body, Sending::Whole).await;
        self.expect("hostile", answer, attack.expected());
    }

    fn expect(&self, kind: &str, answer: Answer, expected: ProblemCode) {
        match answer {
            Answer::Refused(code) if code == expected => self.class.outcome(&format!("{kind}, refused")),
            Answer::Refused(ProblemCode::RoundNotOpen) => self.class.outcome("too late for its round"),
            answer => self.class.unexpected(format!("{kind}: {answer:?} instead of {expected:?}")),
        }
    }

    /// Makes a body where computing may take a while.
    async fn body(
        &self,
        round: &OpenRound,
        mut random: SplitMix64,
        make: impl FnOnce(&super::body::Bodies, &OpenRound, &mut SplitMix64) -> Vec<u8> + Send + 'static,
    ) -> Vec<u8> {
        let (class, round) = (self.class.clone(), round.clone());
        let made = tokio::task::spawn_blocking(move || make(&class.bodies, &round, &mut random)).await;
        made.unwrap_or_default()
    }

    /// Sends an update, again where there is no answer, as tabs do.
    async fn sent(&self, round: &OpenRound, body: Vec<u8>, sending: Sending) -> Answer {
        for attempt in 1..=ATTEMPTS {
            let answer = self.api().update(&self.token, round.id, body.clone(), sending).await;
            if answer != Answer::None || attempt == ATTEMPTS {
                return answer;
            }
            self.class.outcome("no answer to an update, sent again");
            self.move_on();
            sleep(PAUSE * attempt).await;
        }
        Answer::None
    }
}
