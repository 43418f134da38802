//! The participants, and who fetches every model meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emofed::protocol::{
    FederationStatus, JoinResponse, Manifest, OpenRound, Problem, ProblemCode, SAFETENSORS, instructor_path, path,
};
use emofed::random::SplitMix64;
use emofed::weights::Weights;
use reqwest::{Client, RequestBuilder, Response};

use super::{CLIENTS, base};
use crate::harness::update_for;

/// What participants know of each other, and what was seen so far.
pub(super) struct Class {
    client: Client,
    code: String,
    pub(super) instructor: String,
    /// Where a process listens now.
    origins: Mutex<Vec<String>>,
    /// How many examples whose acknowledged update had, by round and participant.
    pub(super) acknowledged: Mutex<BTreeMap<u64, BTreeMap<usize, u32>>>,
    /// Bases of rounds and hashes of models, as any process has ever told them.
    pub(super) rounds: Mutex<BTreeMap<u64, u64>>,
    pub(super) models: Mutex<BTreeMap<u64, String>>,
    /// The values of models that participants change.
    pub(super) values: Mutex<BTreeMap<u64, Vec<f32>>>,
    /// What came of the calls.
    outcomes: Mutex<BTreeMap<&'static str, usize>>,
    /// After this round, everybody stops.
    last: Mutex<Option<u64>>,
}

impl Class {
    pub(super) fn new(code: &str, instructor: &str) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self {
            client,
            code: code.to_owned(),
            instructor: instructor.to_owned(),
            origins: Mutex::default(),
            acknowledged: Mutex::default(),
            rounds: Mutex::default(),
            models: Mutex::default(),
            values: Mutex::default(),
            outcomes: Mutex::default(),
            last: Mutex::default(),
        }
    }

    pub(super) fn is_at(&self, origin: String) {
        self.origins.lock().unwrap().push(origin);
    }

    pub(super) fn is_not_at(&self, origin: &str) {
        self.origins.lock().unwrap().retain(|known| known != origin);
    }

    fn count(&self, outcome: &'static str) {
        *self.outcomes.lock().unwrap().entry(outcome).or_default() += 1;
    }

    pub(super) fn told(&self) -> String {
        format!("{:?}", self.outcomes.lock().unwrap())
    }

    /// The answer to a request to any process, asked again until there is one.
    async fn answer(&self, random: &mut SplitMix64, request: impl Fn(&Client, &str) -> RequestBuilder) -> Response {
        loop {
            let origin = {
                let origins = self.origins.lock().unwrap();
                (!origins.is_empty()).then(|| origins[random.below(origins.len())].clone())
            };
            if let Some(origin) = origin {
                match request(&self.client, &origin).send().await {
                    Ok(answer) if answer.status() != 503 => return answer,
                    Ok(_) => self.count("503"),
                    Err(_) => self.count("no answer"),
                }
            }
            tokio::time::sleep(Duration::from_millis(5 + random.below(20) as u64)).await;
        }
    }

    /// The body of the answer to a request to read something, asked again until it is whole.
    pub(super) async fn read(&self, random: &mut SplitMix64, path: &str, token: &str) -> Option<Vec<u8>> {
        loop {
            let answer = self.answer(random, |client, at| client.get(format!("{at}{path}")).bearer_auth(token)).await;
            if answer.status() == 404 {
                return None;
            }
            assert!(answer.status().is_success(), "{path}: {answer:?}");
            if let Ok(body) = answer.bytes().await {
                return Some(body.into());
            }
        }
    }

    async fn manifest(&self, random: &mut SplitMix64) -> Manifest {
        let body = self.read(random, path::MANIFEST, "").await.unwrap();
        let manifest: Manifest = serde_json::from_slice(&body).unwrap();
        if let Some(round) = &manifest.round {
            let known = *self.rounds.lock().unwrap().entry(round.id).or_insert(round.base_version);
            assert_eq!(known, round.base_version, "round {} is two", round.id);
        }
        let (version, sha256) = (manifest.model.version, &manifest.model.vfer.sha256);
        let known = self.models.lock().unwrap().entry(version).or_insert_with(|| sha256.clone()).clone();
        assert_eq!(&known, sha256, "version {version} is two");
        manifest
    }

    async fn join(&self, random: &mut SplitMix64) -> String {
        let body = format!("{{\"join_code\":\"{}\"}}", self.code);
        loop {
            let join = |client: &Client, at: &str| {
                let request = client.post(format!("{at}{}", path::PARTICIPANTS));
                request.header("content-type", "application/json").body(body.clone())
            };
            let answer = self.answer(random, join).await;
            assert_eq!(answer.status(), 201);
            // Whoever is killed in the middle of its answer has let in somebody who does not know it.
            if let Ok(joined) = answer.json::<JoinResponse>().await {
                return joined.token;
            }
        }
    }

    async fn leave(&self, random: &mut SplitMix64, token: &str) {
        let leave = |client: &Client, at: &str| client.delete(format!("{at}{}", path::ME)).bearer_auth(token);
        // Asked again, the token may have ended already.
        assert!(matches!(self.answer(random, leave).await.status().as_u16(), 204 | 401));
        assert_eq!(self.answer(random, leave).await.status(), 401, "a token that has ended is none");
    }

    /// Contributes to each round until the last one has ended.
    pub(super) async fn participate(self: Arc<Self>, index: usize, mut random: SplitMix64) {
        let mut token = self.join(&mut random).await;
        let mut newest = 0;
        loop {
            let manifest = self.manifest(&mut random).await;
            let Some(round) = manifest.round.filter(|round| round.id > newest) else {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            if self.last.lock().unwrap().is_some_and(|last| round.id > last) {
                return;
            }
            newest = round.id;
            tokio::time::sleep(Duration::from_millis(random.below(30) as u64)).await;
            self.contribute(index, &mut random, &token, &round).await;
            if random.below(10) == 0 {
                self.leave(&mut random, &token).await;
                token = self.join(&mut random).await;
            }
        }
    }

    /// Sends an update that changes the participant's own value, until it is told what became of it.
    async fn contribute(&self, index: usize, random: &mut SplitMix64, token: &str, round: &OpenRound) {
        let mut delta = base();
        delta.iter_mut().for_each(|(_, tensor)| tensor.values[index] = step(round.id));
        let num_examples = 1 + random.below(4) as u32;
        let update = update_for(round, num_examples, delta);
        let body = update.encode();
        let put = |client: &Client, at: &str| {
            let request = client.put(format!("{at}{}", path::update(round.id))).bearer_auth(token);
            request.header("content-type", SAFETENSORS).body(body.clone())
        };
        let answer = self.answer(random, put).await;
        if answer.status() != 200 {
            let problem: Problem = answer.json().await.unwrap();
            assert_eq!(problem.code, ProblemCode::RoundNotOpen, "{problem:?}");
            return self.count("too late");
        }
        self.count("acknowledged");
        let before = self.acknowledged.lock().unwrap().entry(round.id).or_default().insert(index, num_examples);
        assert_eq!(before, None);
        if random.below(4) == 0 {
            assert_eq!(self.answer(random, put).await.status(), 200, "the same again is acknowledged for ever");
        }
    }

    /// Has everybody stop with the round that this gives: no one has contributed to a later one, and the next one that opens is not later.
    pub(super) fn finish(&self) -> u64 {
        let rounds = self.rounds.lock().unwrap();
        let last = rounds.last_key_value().map_or(0, |(round, _)| *round) + 1;
        *self.last.lock().unwrap() = Some(last);
        last
    }

    pub(super) async fn status(&self, random: &mut SplitMix64, query: &str) -> FederationStatus {
        let path = format!("{}{query}", instructor_path::STATUS);
        serde_json::from_slice(&self.read(random, &path, &self.instructor).await.unwrap()).unwrap()
    }

    /// Fetches each model, before its weights are deleted, until that of the last round.
    pub(super) async fn collect(self: Arc<Self>) {
        let mut random = SplitMix64::new(1);
        loop {
            let models = self.status(&mut random, "").await.models;
            for model in models {
                if self.values.lock().unwrap().contains_key(&model.version) {
                    continue;
                }
                // Two replicas may differ by a moment in what they have deleted.
                let Some(body) = self.read(&mut random, &path::blob(&model.vfer.sha256), "").await else { continue };
                let weights = Weights::from_safetensors(&body).unwrap();
                let (_, tensor) = weights.iter().next().unwrap();
                let (changed, others) = tensor.values.split_at(CLIENTS);
                assert!(others.iter().all(|value| *value == 0.0), "nobody has changed these");
                self.values.lock().unwrap().insert(model.version, changed.to_vec());
            }
            let newest = self.values.lock().unwrap().last_key_value().map_or(0, |(version, _)| *version);
            if self.last.lock().unwrap().is_some_and(|last| newest > last) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// By how much an update changes its value: to and fro, so that models stay small.
pub(super) fn step(round: u64) -> f32 {
    if round.is_multiple_of(2) { -1.0 } else { 1.0 }
}
