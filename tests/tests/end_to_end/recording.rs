//! Two students through two rounds, once; what several tests look at.

use std::collections::BTreeMap;

use emofed::emotion::Emotion;
use emofed::protocol::{ClientUpdate, Manifest};
use emofed::weights::Weights;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Exchange;
use emofed_tests::e2e::student::{Smoothness, Student};
use serde_json::json;
use tokio::sync::OnceCell;

/// How many rounds are recorded.
pub const ROUNDS: u64 = 2;

/// Everything that happened.
pub struct Recording {
    /// The student link.
    pub link: String,
    /// For each tab: what it showed and sent.
    pub tabs: Vec<Tab>,
    /// The manifest before the first round and after each.
    pub manifests: Vec<Manifest>,
    /// The global VFER of each of these.
    pub models: Vec<Weights>,
    /// The acknowledged updates of each round, of both tabs.
    pub updates: BTreeMap<u64, Vec<ClientUpdate>>,
}

/// One student's tab.
pub struct Tab {
    /// Label of its first clip.
    pub first_label: Emotion,
    /// The versions that it showed one after the other, from its first clip on.
    pub versions: Vec<u64>,
    /// All its requests.
    pub exchanges: Vec<Exchange>,
}

/// The recording, made by whichever test asks first.
pub async fn recording() -> &'static Recording {
    static RECORDING: OnceCell<Recording> = OnceCell::const_new();
    RECORDING.get_or_init(record).await
}

async fn record() -> Recording {
    let aggregator = Aggregator::start_with(&Aggregator::by_hand()).await;
    let link = aggregator.student_link();
    let films = [Film::Portrait(1), Film::Portrait(2)].map(Camera::Granted);
    let (first, second) = tokio::join!(Student::join(link, films[0]), Student::join(link, films[1]));
    let students = [first, second];

    let mut first_labels = Vec::new();
    for student in &students {
        student.wait_for_expressions().await;
        first_labels.push(student.wait_for_first_clip().await.0);
        student.watch_smoothness().await;
        student.watch_versions().await;
        student.contribute().await;
    }
    let mut manifests = vec![aggregator.manifest().await];
    for round in 1..=ROUNDS {
        aggregator.instruct("rounds", json!({})).await;
        for student in &students {
            student.wait_for_acknowledgement(round).await;
        }
        for student in &students {
            student.wait_for_version(round + 1).await;
        }
        manifests.push(aggregator.manifest().await);
    }
    for (number, student) in students.iter().enumerate() {
        let Smoothness { longest_gap_ms, gap_p95_ms, long_tasks, longest_task_ms } = student.smoothness().await;
        println!(
            "tab {number}, {ROUNDS} rounds: animation frames at most {longest_gap_ms:.0} ms apart \
             (95 % within {gap_p95_ms:.0} ms), {long_tasks} long tasks, the longest {longest_task_ms:.0} ms"
        );
    }

    let mut models = Vec::new();
    for manifest in &manifests {
        models.push(aggregator.weights(&manifest.model.vfer).await);
    }
    let rounds = manifests[1..].iter().map(|manifest| manifest.model.round.expect("a round made this model"));
    let updates = rounds
        .map(|round| (round, students.iter().flat_map(|student| student.acknowledged_updates(round)).collect()))
        .collect();
    let mut tabs = Vec::new();
    for (student, first_label) in students.iter().zip(first_labels) {
        let versions = student.versions().await;
        tabs.push(Tab { first_label, versions, exchanges: student.browser().proxy().exchanges() });
    }
    Recording { link: link.to_owned(), tabs, manifests, models, updates }
}
