//! The life of clips, case by case; `at_random`, in any order of things.

use super::*;
use crate::emotion::Emotion;

mod at_random;

fn clip(number: usize) -> Clip {
    Clip { features: vec![number as f32], target: [0.0; 6] }
}

fn numbers(clips: &[Clip]) -> Vec<usize> {
    clips.iter().map(|clip| clip.features[0] as usize).collect()
}

fn cloned(clips: Vec<&Clip>) -> Vec<Clip> {
    clips.into_iter().cloned().collect()
}

fn ended(round: u64, outcome: RoundOutcome) -> EndedRound {
    EndedRound { round, outcome, version: (outcome == RoundOutcome::Published).then_some(round + 1) }
}

/// Two clips in an update for round 5, in this stage, and one kept since.
fn under_way(stage: Stage) -> ClipStore {
    let mut clips = ClipStore::default();
    clips.keep(clip(1));
    clips.keep(clip(2));
    assert_eq!(numbers(&clips.contribute(5).unwrap()), [1, 2]);
    if stage != Stage::Unsent {
        clips.sending(5);
    }
    if stage == Stage::Acknowledged {
        clips.acknowledged(5);
    }
    clips.keep(clip(3));
    assert_eq!(clips.under_way(), Some((5, stage)));
    clips
}

const STAGES: [Stage; 3] = [Stage::Unsent, Stage::Unanswered, Stage::Acknowledged];

#[test]
fn while_a_round_is_open_or_being_aggregated_nothing_happens() {
    for stage in STAGES {
        let mut clips = under_way(stage);
        assert_eq!(clips.settle(Some(5), &[ended(4, RoundOutcome::Published)]), None);
        // The manifest of a moment: no round, the old version, and no outcome of round 5.
        assert_eq!(clips.settle(None, &[ended(4, RoundOutcome::Published)]), None);
        assert_eq!(clips.settle(None, &[]), None);
        assert_eq!(clips.under_way(), Some((5, stage)));
        assert_eq!(clips.contribute(6), None, "one update at a time");
        assert_eq!(clips.waiting(), 1);
    }
}

#[test]
fn a_round_that_came_to_nothing_gives_its_clips_back_in_order() {
    for (stage, outcome) in
        STAGES.into_iter().flat_map(|stage| [(stage, RoundOutcome::Rejected), (stage, RoundOutcome::Abandoned)])
    {
        let mut clips = under_way(stage);
        assert_eq!(clips.settle(Some(6), &[ended(5, outcome)]), Some(Settled::Returned));
        assert_eq!(numbers(&clips.contribute(6).unwrap()), [1, 2, 3]);
    }
}

#[test]
fn a_published_round_releases_only_what_may_be_in_it() {
    for (stage, settled, left) in [
        (Stage::Acknowledged, Settled::Released, vec![3]),
        (Stage::Unanswered, Settled::Released, vec![3]),
        (Stage::Unsent, Settled::Returned, vec![1, 2, 3]),
    ] {
        let mut clips = under_way(stage);
        assert_eq!(
            clips.settle(None, &[ended(5, RoundOutcome::Published), ended(4, RoundOutcome::Rejected)]),
            Some(settled)
        );
        assert_eq!(numbers(&clips.contribute(6).unwrap()), left);
    }
}

#[test]
fn a_round_too_old_to_be_told_of_releases_what_may_be_in_it() {
    for (stage, settled) in [
        (Stage::Acknowledged, Settled::Released),
        (Stage::Unanswered, Settled::Released),
        (Stage::Unsent, Settled::Returned),
    ] {
        let recent: Vec<EndedRound> = (6..22).rev().map(|round| ended(round, RoundOutcome::Rejected)).collect();
        assert_eq!(under_way(stage).settle(None, &recent), Some(settled));
        assert_eq!(under_way(stage).settle(Some(22), &recent), Some(settled));
        // An aggregator that begins anew counts from one.
        assert_eq!(under_way(stage).settle(Some(1), &[]), Some(settled));
    }
}

#[test]
fn opting_out_takes_back_only_what_was_never_sent() {
    let mut clips = under_way(Stage::Unsent);
    assert_eq!(clips.withdraw(), Some((5, Stage::Unsent)));
    assert_eq!((clips.under_way(), clips.waiting()), (None, 3));

    let mut clips = under_way(Stage::Unanswered);
    assert_eq!(clips.withdraw(), Some((5, Stage::Unanswered)));
    assert_eq!(clips.contribute(5), None, "it may be in: opting in again sits the round out");
    clips.refused(5);
    assert_eq!(clips.waiting(), 3, "now it is known not to be in");

    let mut clips = under_way(Stage::Acknowledged);
    assert_eq!(clips.withdraw(), None);
    clips.refused(5);
    assert_eq!(clips.waiting(), 1);
}

#[test]
fn an_update_of_before_a_reload_holds_the_next_one_back() {
    let mut clips = ClipStore::default();
    clips.resume(Some(5), None);
    clips.keep(clip(1));
    assert_eq!(clips.contribute(5), None);
    assert_eq!(clips.settle(None, &[ended(5, RoundOutcome::Published)]), Some(Settled::Released));
    assert_eq!(numbers(&clips.contribute(6).unwrap()), [1]);
}

#[test]
fn features_of_another_backbone_are_forgotten_and_the_update_is_not() {
    let mut clips = under_way(Stage::Acknowledged);
    clips.clear();
    assert_eq!(clips.under_way(), Some((5, Stage::Acknowledged)));
    clips.settle(None, &[ended(5, RoundOutcome::Rejected)]);
    assert_eq!(clips.waiting(), 0);
}

#[test]
fn the_hold_out_is_in_no_update() {
    let mut clips = ClipStore::default();
    clips.keep(clip(1));
    clips.hold_out(clip(2));
    clips.keep(clip(3));
    assert_eq!((clips.waiting(), numbers(&clips.held_out())), (2, vec![2]));
    assert_eq!(numbers(&clips.contribute(5).unwrap()), [1, 3]);
    clips.refused(5);
    assert_eq!(numbers(&clips.contribute(6).unwrap()), [1, 3]);
    assert_eq!(numbers(&clips.held_out()), [2], "it stays for later updates");
    clips.keep(clip(4));
    clips.clear_waiting();
    assert_eq!((clips.waiting(), clips.held_out().len()), (0, 0));
    clips.refused(6);
    assert_eq!(clips.waiting(), 2, "the update's own clips are not forgotten");
}

#[test]
fn memory_is_bounded() {
    let mut clips = ClipStore::default();
    for number in 0..MAX_WAITING + 5 {
        clips.keep(clip(number));
    }
    for number in 0..MAX_HELD_OUT + 3 {
        clips.hold_out(clip(number));
    }
    assert_eq!((clips.held_out().len(), numbers(&clips.held_out())[0]), (MAX_HELD_OUT, 3));
    assert_eq!(clips.waiting(), MAX_WAITING);
    assert_eq!(clips.contribute(1).unwrap()[0].features, [5.0]);
    clips.keep(clip(MAX_WAITING + 5));
    clips.refused(1);
    assert_eq!(clips.waiting(), MAX_WAITING);
    assert_eq!(clips.contribute(2).unwrap()[0].features, [6.0]);
}

#[test]
fn a_record_goes_on_where_the_device_says_it_is() {
    let record = |stage| {
        let clips = under_way(stage);
        let stored = clips.stored(false);
        let update = stored.update.map(|(round, stage, clips)| (round, stage, cloned(clips)));
        ClipStore::restore(cloned(stored.waiting), cloned(stored.held_out), update)
    };
    // Killed while training: the same clips are trained on again.
    let mut clips = record(Stage::Unsent);
    clips.resume(None, Some(4));
    assert_eq!(numbers(&clips.interrupted(5).unwrap()), [1, 2]);
    assert_eq!((clips.interrupted(6), clips.waiting()), (None, 1));
    // Killed after the update was stored, or after it was acknowledged.
    for (pending, acknowledged, stage) in [(Some(5), None, Stage::Unanswered), (None, Some(5), Stage::Acknowledged)] {
        let mut clips = record(Stage::Unsent);
        clips.resume(pending, acknowledged);
        assert_eq!((clips.under_way(), clips.waiting()), (Some((5, stage)), 1));
        assert_eq!(clips.interrupted(5), None, "it is not made again");
        assert_eq!(clips.settle(Some(6), &[ended(5, RoundOutcome::Abandoned)]), Some(Settled::Returned));
        assert_eq!(clips.waiting(), 3);
    }
    // A record that is older than the update on the device may hold clips of it.
    let mut clips = record(Stage::Unsent);
    clips.resume(Some(6), Some(5));
    assert_eq!((clips.under_way(), clips.waiting()), (Some((6, Stage::Unanswered)), 0));
    // Once the update is stored, the record says that it may count.
    let stored = under_way(Stage::Unsent);
    assert!(matches!(stored.stored(true).update, Some((5, Stage::Unanswered, clips)) if clips.len() == 2));
    assert!(matches!(under_way(Stage::Acknowledged).stored(true).update, Some((5, Stage::Acknowledged, _))));
}

#[test]
fn what_waits_or_is_set_aside_can_be_edited_and_what_is_in_an_update_cannot() {
    let target = Emotion::Sadness.one_hot();
    let mut clips = ClipStore::default();
    let [first, second] = [1, 2].map(|number| clips.keep(clip(number)));
    let aside = clips.hold_out(clip(3));
    let revision = clips.revision();
    assert!(clips.edit(first, ClipEdit::Relabel(target)) && clips.edit(aside, ClipEdit::StrikeOut));
    assert!(clips.revision() > revision, "a record is written anew");
    assert!(!clips.edit(aside, ClipEdit::StrikeOut), "it is gone");
    assert_eq!((clips.held_out().len(), clips.waiting()), (0, 2));
    let update = clips.contribute(5).unwrap();
    assert_eq!((update[0].target, update[1].target), (target, [0.0; 6]));
    assert!(clips.is_in_unsent_update(second) && !clips.edit(second, ClipEdit::StrikeOut));
    // Withdrawn, it waits again.
    clips.withdraw();
    assert!(clips.edit(second, ClipEdit::StrikeOut));
    assert_eq!(numbers(&clips.contribute(5).unwrap()), [1]);
    clips.sending(5);
    assert!(!clips.is_in_unsent_update(first), "it may have arrived");
    assert!(!clips.edit(first, ClipEdit::StrikeOut));
}
