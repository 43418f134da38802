//! What has happened since the page is open: of the federation, never of a participant. No document here.

use std::collections::VecDeque;

use crate::protocol::{CloseReason, Event, FederationStatus, Lecture, ModelVersion, RoundPhase};

use super::lineage::is_restored;

/// Entries that are kept.
const MAX_ENTRIES: usize = 300;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEvent {
    /// A round takes updates.
    RoundOpened {
        /// The round.
        round: u64,
        /// The version that updates are relative to.
        base_version: u64,
    },
    /// Updates came.
    UpdatesReceived {
        /// The round.
        round: u64,
        /// How many it has now.
        received: u32,
        /// How many close it.
        needed: Option<u32>,
    },
    /// A round takes no more updates.
    RoundClosed {
        /// The round.
        round: u64,
        /// Why.
        reason: CloseReason,
    },
    /// A round ended without a model.
    RoundFailed {
        /// The round.
        round: u64,
        /// Rejected or abandoned, and why.
        phase: RoundPhase,
    },
    /// A round made a new global model.
    Published {
        /// Its version.
        version: u64,
    },
    /// An earlier model is the global model again.
    RolledBack {
        /// Its new version.
        version: u64,
        /// The version that it repeats.
        restored: u64,
    },
    /// Something else is on the stage.
    LectureChanged(Lecture),
    /// There is a new join code.
    CodeRenewed,
    /// The settings of rounds are others.
    SettingsChanged,
    /// A participant was revoked.
    Revoked,
}

impl LogEvent {
    /// Whether both tell of the same.
    fn is_covered_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::RoundOpened { round: a, .. }, Self::RoundOpened { round: b, .. })
            | (Self::RoundClosed { round: a, .. }, Self::RoundClosed { round: b, .. })
            | (Self::RoundFailed { round: a, .. }, Self::RoundFailed { round: b, .. })
            | (Self::Published { version: a }, Self::Published { version: b })
            | (Self::RolledBack { version: a, .. }, Self::RolledBack { version: b, .. }) => a == b,
            (
                Self::UpdatesReceived { round: a, received: new, .. },
                Self::UpdatesReceived { round: b, received: told, .. },
            ) => a == b && new <= told,
            _ => false,
        }
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Seconds since 1970.
    pub at_s: u64,
    /// What happened.
    pub what: LogEvent,
}

/// The log, newest first.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
}

impl Log {
    /// Newest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds what happened, unless it is there already. Updates of a round that come one after the other are one entry.
    pub fn note(&mut self, at_s: u64, what: LogEvent) {
        if self.entries.iter().any(|entry| what.is_covered_by(&entry.what)) {
            return;
        }
        if let (LogEvent::UpdatesReceived { round, .. }, Some(newest)) = (&what, self.entries.front_mut())
            && matches!(&newest.what, LogEvent::UpdatesReceived { round: same, .. } if same == round)
        {
            *newest = Entry { at_s, what };
            return;
        }
        self.entries.push_front(Entry { at_s, what });
        self.entries.truncate(MAX_ENTRIES);
    }

    /// Adds what an event tells; `status` is the newest before it.
    pub fn note_event(&mut self, at_s: u64, event: &Event, status: &FederationStatus) {
        let what = match *event {
            Event::RoundOpened { round, base_version } => LogEvent::RoundOpened { round, base_version },
            Event::UpdateReceived { round, received } => {
                let open = status.round.as_ref().filter(|open| open.id == round);
                LogEvent::UpdatesReceived { round, received, needed: open.map(|open| open.closes_at()) }
            }
            // The next status tells these with their reasons.
            Event::RoundClosed { reason: CloseReason::Rejected | CloseReason::Abandoned, .. } => return,
            Event::RoundClosed { round, reason } => LogEvent::RoundClosed { round, reason },
            Event::ModelPublished { version } => LogEvent::Published { version },
            Event::ModelRolledBack { version, restored } => LogEvent::RolledBack { version, restored },
            Event::LectureChanged | Event::FederationEnded | Event::Unknown => return,
        };
        self.note(at_s, what);
    }

    /// Adds what has changed between two statuses, for events that did not get through, as while the page was in the background.
    pub fn note_changes(&mut self, at_s: u64, before: &FederationStatus, after: &FederationStatus) {
        for round in after.rounds.iter().rev() {
            let earlier = before.rounds.iter().find(|earlier| earlier.id == round.id);
            if earlier.is_none() && before.rounds.first().is_none_or(|newest| newest.id < round.id) {
                let opened = LogEvent::RoundOpened { round: round.id, base_version: round.base_version };
                self.note(round.opened_at_s, opened);
            }
            let has_failed =
                |phase: &RoundPhase| matches!(phase, RoundPhase::Rejected { .. } | RoundPhase::Abandoned { .. });
            if has_failed(&round.phase) && !earlier.is_some_and(|earlier| has_failed(&earlier.phase)) {
                self.note(at_s, LogEvent::RoundFailed { round: round.id, phase: round.phase.clone() });
            }
        }
        if let Some(open) = &after.round {
            let earlier = before.round.as_ref().filter(|earlier| earlier.id == open.id);
            if open.received > earlier.map_or(0, |earlier| earlier.received) {
                let needed = Some(open.closes_at());
                self.note(at_s, LogEvent::UpdatesReceived { round: open.id, received: open.received, needed });
            }
        }
        let known = before.models.first().map_or(0, |model| model.version);
        for model in after.models.iter().rev().filter(|model| model.version > known) {
            self.note(model.published_at_s, published(model));
        }
        if before.lecture.current != after.lecture.current {
            self.note(at_s, LogEvent::LectureChanged(after.lecture.current.clone()));
        }
        if before.join_code != after.join_code {
            self.note(at_s, LogEvent::CodeRenewed);
        }
        if before.settings != after.settings {
            self.note(at_s, LogEvent::SettingsChanged);
        }
    }
}

fn published(model: &ModelVersion) -> LogEvent {
    match model.parent.filter(|_| is_restored(model)) {
        Some(restored) => LogEvent::RolledBack { version: model.version, restored },
        None => LogEvent::Published { version: model.version },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::lineage::tests::model;
    use super::*;
    use crate::protocol::{AbandonReason, OpenRound, Role, RoundSettings, RoundSummary};

    /// Round 7 is open on version 3 with so many updates.
    pub fn status(received: u32) -> FederationStatus {
        let round =
            OpenRound { id: 7, base_version: 3, minimum_clients: 3, target_clients: 3, received, deadline_s: 90 };
        let summary = RoundSummary { id: 7, base_version: 3, received, phase: RoundPhase::Open, opened_at_s: 30 };
        FederationStatus {
            role: Role::Owner,
            join_code_uses_left: None,
            certificate_sha256: None,
            name: "A & B".to_owned(),
            join_code: "SECRET".to_owned(),
            join_code_expires_at_s: None,
            connected: 4,
            participants: 5,
            round: Some(round),
            rounds: vec![summary],
            models: vec![model(3, Some(2), Some(6))],
            settings: RoundSettings::default(),
            lecture: Default::default(),
            few_contributors: false,
        }
    }

    fn told(log: &Log) -> Vec<&LogEvent> {
        log.entries().map(|entry| &entry.what).collect()
    }

    #[test]
    fn events_and_statuses_tell_the_same_once() {
        let mut log = Log::default();
        let (before, after) = (status(0), status(2));
        log.note_event(40, &Event::UpdateReceived { round: 7, received: 1 }, &before);
        log.note_event(41, &Event::UpdateReceived { round: 7, received: 2 }, &before);
        log.note_changes(42, &before, &after);
        let updates = LogEvent::UpdatesReceived { round: 7, received: 2, needed: Some(3) };
        assert_eq!(told(&log), [&updates], "updates in a row are one entry");

        let closed = Event::RoundClosed { round: 7, reason: CloseReason::Complete };
        log.note_event(50, &closed, &after);
        log.note_event(51, &Event::ModelPublished { version: 4 }, &after);
        let mut published = status(3);
        published.round = None;
        published.rounds[0].phase = RoundPhase::Published { version: 4 };
        published.models.insert(0, model(4, Some(3), Some(7)));
        log.note_changes(52, &after, &published);
        log.note_changes(53, &published, &published);
        let closed = LogEvent::RoundClosed { round: 7, reason: CloseReason::Complete };
        assert_eq!(told(&log), [&LogEvent::Published { version: 4 }, &closed, &updates]);
    }

    #[test]
    fn what_no_event_told_follows_from_the_status() {
        let mut log = Log::default();
        let (before, mut after) = (status(0), status(0));
        after.rounds[0].phase = RoundPhase::Abandoned { reason: AbandonReason::BaseReplaced };
        after
            .rounds
            .insert(0, RoundSummary { id: 8, base_version: 4, phase: RoundPhase::Open, ..before.rounds[0].clone() });
        after.models.insert(0, model(4, Some(1), None));
        after.join_code = "OTHER".to_owned();
        after.settings.continuous = false;
        after.lecture.current = Lecture::Video { address: "lecture/a.mp4".to_owned() };
        log.note_changes(60, &before, &after);
        let mut found: Vec<LogEvent> = log.entries().rev().map(|entry| entry.what.clone()).collect();
        let failed = LogEvent::RoundFailed { round: 7, phase: after.rounds[1].phase.clone() };
        assert_eq!(found.remove(0), failed);
        assert_eq!(found.remove(0), LogEvent::RoundOpened { round: 8, base_version: 4 });
        assert_eq!(found.remove(0), LogEvent::RolledBack { version: 4, restored: 1 });
        let lecture = LogEvent::LectureChanged(after.lecture.current.clone());
        assert_eq!(found, [lecture, LogEvent::CodeRenewed, LogEvent::SettingsChanged]);
        let times: Vec<u64> = log.entries().rev().map(|entry| entry.at_s).collect();
        assert_eq!(times[..3], [60, 30, 4_000], "what has a time of its own has it");
    }

    #[test]
    fn it_is_bounded() {
        let mut log = Log::default();
        (0..1_000).for_each(|version| log.note(version, LogEvent::Published { version }));
        assert_eq!(told(&log).len(), MAX_ENTRIES);
        assert_eq!(told(&log)[0], &LogEvent::Published { version: 999 });
        assert!(!log.is_empty() && Log::default().is_empty());
    }
}
