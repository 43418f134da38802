//! Replicas whose objects are in a bucket of a real S3 server.

use super::program::Program;
use super::shared_store::{Shared, until};

/// The names of the objects below `folder` of the federation `class`.
fn objects(shared: &Shared, folder: &str) -> usize {
    let folder = format!("{}/class/{folder}/", shared.s3().prefix());
    shared.s3().objects().iter().filter(|name| name.starts_with(&folder)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_of_two_replicas_completes_with_a_bucket_and_is_backed_up() {
    let shared = Shared::with_bucket();
    let (a, b) = shared.two(&["--minimum-clients", "3"]);
    let clients = a.clients(3).await;
    let send = async |program: &Program, index: usize| program.put(&clients[index].0, &clients[index].1).await;
    assert_eq!((send(&a, 0).await, send(&b, 1).await), (Some(200), Some(200)));
    assert_eq!(objects(&shared, "updates/1"), 2);

    let told = shared.run(&["backup", "class.tar", "--data", "a"]);
    assert!(shared.folder.path().join("class.tar").is_file(), "{told}");
    assert_eq!(objects(&shared, "snapshots"), 0, "a backup's copies go with it");

    assert_eq!(tokio::join!(send(&a, 2), send(&b, 2)), (Some(200), Some(200)));
    for replica in [&a, &b] {
        until("both have the new model", || async { replica.manifest().await.model.version == 2 }).await;
    }
    let model = b.status().await.models.remove(0);
    assert_eq!((model.num_clients, model.num_examples), (3, Some(6)));
    until("bodies of the round go", || async { objects(&shared, "updates") == 0 }).await;

    drop((a, b));
    let told = shared.run(&["restore", "class.tar", "--data", "r", "--federation", "again"]);
    assert!(told.contains("round 1 goes on with 2 updates"), "{told}");
    let restored = shared.replica("r", None, &["--federation", "again"]);
    assert_eq!(send(&restored, 2).await, Some(200));
    until("the round ends", || async { restored.manifest().await.model.version >= 2 }).await;
    assert_eq!(restored.manifest().await.model.num_clients, 3);
}

#[test]
fn a_bucket_that_is_not_there_is_told_with_a_way_out() {
    let shared = Shared::with_bucket();
    let refused = |blobs: &str, told: &[&str]| {
        let text = shared.run(&["serve", "--listen", "127.0.0.1:0", "--data", "a", "--blobs", blobs]);
        assert!(told.iter().all(|told| text.contains(told)) && text.contains("way out:"), "{text}");
    };
    refused("s3://nowhere/emofed", &["objects cannot be kept in s3://nowhere/emofed", "AWS_ENDPOINT"]);
    refused("s3://", &["s3://BUCKET/PREFIX"]);
    let config = shared.folder.path().join("emofed.toml");
    std::fs::write(&config, "name = \"class\"\n").unwrap();
    let told = shared.run(&["check-config", "emofed.toml"]);
    let endpoint = shared.s3().variables().find(|(name, _)| name == "AWS_ENDPOINT").unwrap().1;
    assert!(told.contains(&format!("at {endpoint}, region eu-central-1, with the key of AWS_ACCESS_KEY_ID")), "{told}");
}
