//! Everything that a federation shows, and what it has stored, beside what has to be so.

use std::fmt::Debug;

use emofed::protocol::{EndedRound, ModelOrigin, RECENT_ROUNDS, RoundOutcome, RoundPhase};
use emofed::weights::Weights;
use emofed_server::round::Federation;

use super::sent::first_value;
use super::specification::Specification;

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} in place of {expected:?}")) }
}

/// Compares the federation with what has to be so.
///
/// # Errors
/// What differs.
pub fn compare(federation: &Federation, expected: &Specification) -> Result<(), String> {
    manifest(federation, expected)?;
    versions(federation, expected)?;
    rounds(federation, expected)?;
    updates(federation, expected)?;
    same("settings", federation.settings(), expected.settings())?;
    let records = federation.records().participants().map_err(|error| error.to_string())?;
    same("participants", records.len(), expected.participants.len())?;
    same("number of participants", federation.participants() as usize, expected.participants.len())
}

fn manifest(federation: &Federation, expected: &Specification) -> Result<(), String> {
    let snapshot = federation.snapshot();
    let open = snapshot.manifest.round.as_ref();
    same(
        "open round",
        open.map(|open| (open.id, open.base_version, open.minimum_clients, open.target_clients, open.deadline_s)),
        expected
            .round
            .as_ref()
            .map(|open| (open.id, open.base_version, open.minimum_clients, open.target_clients, open.deadline_s)),
    )?;
    same("global model", snapshot.manifest.model.version, expected.newest_version())?;
    let recent = expected.ended.iter().rev().take(RECENT_ROUNDS);
    let recent: Vec<EndedRound> = recent
        .map(|(round, (outcome, version))| EndedRound { round: *round, outcome: *outcome, version: *version })
        .collect();
    same("recent rounds", &snapshot.manifest.recent_rounds, &recent)
}

fn versions(federation: &Federation, expected: &Specification) -> Result<(), String> {
    let models = federation.models(None, usize::MAX).map_err(|error| error.to_string())?;
    same("number of versions", models.len(), expected.versions.len())?;
    for (model, (index, version)) in models.iter().rev().zip(expected.versions.iter().enumerate()) {
        // Without gaps, oldest first: they only ever go up.
        same("version", model.version, index as u64 + 1)?;
        let of = |what| format!("{what} of version {}", model.version);
        same(&of("parent"), model.parent, version.parent)?;
        same(&of("round"), model.round, version.round)?;
        same(&of("origin"), model.origin == ModelOrigin::Federated, version.is_made_by_round)?;
        same(&of("clients"), model.num_clients, version.num_clients)?;
        same(&of("examples"), model.num_examples, Some(version.num_examples))?;
        if model.origin == ModelOrigin::Federated && model.num_clients < 3 {
            return Err(format!("version {} was made of {} updates", model.version, model.num_clients));
        }
    }
    let newest = models.first().ok_or("there is no model")?;
    let bytes = federation.records().blob(&newest.vfer.sha256).map_err(|error| error.to_string())?;
    let found = first_value(&Weights::from_safetensors(&bytes).map_err(|error| error.to_string())?);
    let value = expected.versions.last().unwrap().value;
    // Each version is rounded to f32.
    if (found - value).abs() > 2e-6 * expected.versions.len() as f64 {
        return Err(format!("the first weight of version {} is {found}, not {value}", newest.version));
    }
    Ok(())
}

fn rounds(federation: &Federation, expected: &Specification) -> Result<(), String> {
    let rounds = federation.rounds(None, usize::MAX).map_err(|error| error.to_string())?;
    same("number of rounds", rounds.len() as u64, expected.newest_round())?;
    for (summary, id) in rounds.iter().rev().zip(1..) {
        same("round", summary.id, id)?;
        same(&format!("updates of round {id}"), summary.received, expected.received(id))?;
        let ended = match summary.phase {
            RoundPhase::Published { version } => Some((RoundOutcome::Published, Some(version))),
            RoundPhase::Abandoned { .. } => Some((RoundOutcome::Abandoned, None)),
            RoundPhase::Open => None,
            ref phase => return Err(format!("round {id} stands at {phase:?}")),
        };
        same(&format!("end of round {id}"), ended, expected.ended.get(&id).copied())?;
    }
    Ok(())
}

/// What was acknowledged is recorded once, and its bytes are there until its round ends.
fn updates(federation: &Federation, expected: &Specification) -> Result<(), String> {
    let records = federation.records();
    let mut found = Vec::new();
    for round in 1..=expected.newest_round() {
        let is_open = expected.round.as_ref().is_some_and(|open| open.id == round);
        for update in records.updates(round).map_err(|error| error.to_string())? {
            if is_open {
                records.update_body(round, &update).map_err(|error| format!("an acknowledged update: {error}"))?;
            }
            found.push((round, update.participant, update.sha256, update.num_examples));
        }
    }
    let acknowledged = expected.acknowledged.iter();
    let expected: Vec<_> = acknowledged
        .map(|((round, who), update)| (*round, format!("p{who}"), update.sha256.clone(), update.num_examples))
        .collect();
    same("acknowledged updates", found, expected)
}
