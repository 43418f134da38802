//! The default mode, in which the next round opens by itself.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;

/// Rounds that are waited for.
const ROUNDS: u64 = 3;

#[tokio::test]
async fn a_clip_counts_in_at_most_one_round_and_rounds_go_on() {
    let aggregator = Aggregator::start_with(&Aggregator::of_one()).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(7))).await;
    let first = aggregator.manifest().await;
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.wait_for_version(first.model.version + ROUNDS).await;

    let rounds = 1..=first.round.unwrap().id + 2 * ROUNDS;
    let updates: Vec<_> = rounds.flat_map(|round| student.acknowledged_updates(round)).collect();
    let sent: u32 = updates.iter().map(|update| update.num_examples).sum();
    let kept = student.clips_kept().await;
    assert!(updates.len() as u64 >= ROUNDS && sent <= kept, "{} updates of {sent} clips of {kept} kept", updates.len());
}
