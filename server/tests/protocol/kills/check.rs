//! What must hold in the end.

use emofed::protocol::{ModelVersion, RoundPhase, RoundSummary};
use emofed::random::SplitMix64;

use super::CLIENTS;
use super::clients::{Class, step};

impl Class {
    /// All rounds and all models, oldest first.
    async fn lineage(&self) -> (Vec<RoundSummary>, Vec<ModelVersion>) {
        let mut random = SplitMix64::new(2);
        let (mut rounds, mut models) = (Vec::new(), Vec::new());
        let mut query = String::new();
        loop {
            let page = self.status(&mut random, &query).await;
            if page.rounds.is_empty() && page.models.is_empty() {
                break;
            }
            rounds.extend(page.rounds);
            models.extend(page.models);
            let (round, model): (&RoundSummary, &ModelVersion) = (rounds.last().unwrap(), models.last().unwrap());
            query = format!("?rounds_before={}&models_before={}", round.id, model.version);
        }
        rounds.reverse();
        models.reverse();
        (rounds, models)
    }

    /// Every round up to `last` has made the next model, of its acknowledged updates, each of them once.
    pub(super) async fn check(&self, last: u64) {
        let (rounds, models) = self.lineage().await;
        assert!(rounds.iter().map(|round| round.id).eq(1..=last + 1), "{rounds:?}");
        assert!(models.iter().map(|model| model.version).eq(1..=last + 1), "{models:?}");
        for (version, sha256) in self.models.lock().unwrap().iter() {
            assert_eq!(&models[*version as usize - 1].vfer.sha256, sha256, "version {version} was another one");
        }
        for (round, base_version) in self.rounds.lock().unwrap().iter() {
            assert_eq!((rounds[*round as usize - 1].base_version, round), (*base_version, base_version));
        }
        let (acknowledged, values) = (self.acknowledged.lock().unwrap(), self.values.lock().unwrap());
        assert!(acknowledged.keys().all(|round| *round <= last));
        for round in &rounds[..last as usize] {
            let (id, model) = (round.id, &models[round.id as usize]);
            assert_eq!(round.phase, RoundPhase::Published { version: id + 1 }, "round {id}");
            assert_eq!((model.round, model.parent), (Some(id), Some(id)));
            let updates = acknowledged.get(&id).unwrap_or_else(|| panic!("round {id} was made of nothing"));
            let examples: u32 = updates.values().sum();
            let counted = (model.num_clients as usize, model.num_examples, round.received as usize);
            assert_eq!(counted, (updates.len(), Some(examples.into()), updates.len()), "round {id}: {updates:?}");
            let of = |version: u64| values.get(&version).unwrap_or_else(|| panic!("version {version} was not seen"));
            for client in 0..CLIENTS {
                let share = updates.get(&client).map_or(0.0, |own| f64::from(*own) / f64::from(examples));
                let found = f64::from(of(id + 1)[client] - of(id)[client]) * f64::from(step(id));
                assert!((found - share).abs() < 1e-4, "round {id}, client {client}: {found}, not {share}: {updates:?}");
            }
        }
    }
}
