//! A participant without a browser.

use emofed::protocol::{ClientMetrics, ClientUpdate, JoinResponse, SAFETENSORS, path};
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::aggregator::Aggregator;

/// Joins, and sends an update of the open round that changes nothing.
pub async fn contribute(aggregator: &Aggregator, metrics: Option<ClientMetrics>) {
    let code = aggregator.student_link().split_once("#join=").expect("the link has the code").1;
    let client = reqwest::Client::new();
    let join = client.post(aggregator.url(path::PARTICIPANTS)).json(&json!({ "join_code": code }));
    let joined = join.send().await.expect("the aggregator answers");
    let joined: JoinResponse = joined.json().await.expect("the code is valid");
    let manifest = aggregator.manifest().await;
    let round = manifest.round.expect("a round is open").id;
    let mut delta = aggregator.weights(&manifest.model.vfer).await;
    delta.scale(0.0);
    let base_version = manifest.model.version;
    let update = ClientUpdate { round, base_version, num_examples: 1, metrics, delta };
    let put = client.put(aggregator.url(&path::update(round))).bearer_auth(joined.token);
    let answer = put.header(CONTENT_TYPE, SAFETENSORS).body(update.encode()).send().await;
    answer.expect("the aggregator answers").error_for_status().expect("the update is good");
}
