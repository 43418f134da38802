//! Valid bytes of each form.

use std::path::Path;
use std::sync::Arc;

use emofed::learning::{Clip, FineTune, LearningSettings, Strategy, UpdateEncoding};
use emofed::model::BackboneKind;
use emofed::model::vfer::{FEATURES, Vfer, VferArchitecture};
use emofed::protocol::{
    BackboneRef, CaptureSettings, ClientUpdate, CloseReason, Event, FederationStatus, JoinRequest, Lecture,
    ModelOrigin, Problem, ProblemCode, Role, RoundSettings, RoundSettingsChange, UpdateLimits,
};
use emofed::random::SplitMix64;
use emofed::weights::{Tensor, Weights};
use emofed_server::backup::Backup;
use emofed_server::clock::SystemClock;
use emofed_server::round::{Federation, FederationBounds, FederationConfig, SanityCheck, Stage, publish_made};
use emofed_server::store::{BackboneRecord, EmbeddedStore, Records};
use serde::Serialize;

/// A model of a few values.
pub fn model() -> Weights {
    let mut random = SplitMix64::new(1);
    let mut weights = Weights::new();
    for (name, shape) in [("head.bias", vec![3]), ("head.weight", vec![3, 4]), ("lstm.bias", vec![1])] {
        let values = (0..shape.iter().product()).map(|_| random.signed()).collect();
        weights.insert(name, Tensor::new(shape, values));
    }
    weights
}

/// In each encoding.
pub fn updates() -> Vec<Vec<u8>> {
    let update = ClientUpdate { round: 7, base_version: 3, num_examples: 12, metrics: None, delta: model() };
    let encodings = [UpdateEncoding::F32, UpdateEncoding::F16, UpdateEncoding::Int8];
    encodings.map(|encoding| update.encode_as(encoding, 1)).into()
}

pub fn weights() -> Vec<Vec<u8>> {
    vec![model().to_safetensors(None), model().to_safetensors_f16(None), updates().remove(0)]
}

pub fn checkpoints() -> Vec<Vec<u8>> {
    let clip = Clip { features: vec![0.5; 3 * FEATURES], target: [1.0, 0.0, 0.0, 0.0, 0.0, 0.0] };
    let settings = LearningSettings { learning_rate: 1e-3, ..LearningSettings::default() };
    let mut tuning = FineTune::new(&Vfer::random(1), vec![clip; 3], &settings).unwrap();
    tuning.step().unwrap();
    vec![tuning.checkpoint().encode()]
}

fn encoded<T: Serialize>(samples: impl IntoIterator<Item = T>) -> Vec<Vec<u8>> {
    samples.into_iter().map(|sample| serde_json::to_vec(&sample).unwrap()).collect()
}

/// A federation with a model and an open round.
fn federation(folder: &Path) -> Federation {
    let records = Records::open(Arc::new(EmbeddedStore::open(folder).unwrap())).unwrap();
    let bytes = model().to_safetensors(None);
    let backbone = BackboneRef { kind: BackboneKind::Lite, blob: records.put_blob(&bytes).unwrap() };
    records.put_backbone(&BackboneRecord { backbone: backbone.clone(), imported_at_s: 0 }).unwrap();
    records.put_detector(&backbone.blob).unwrap();
    publish_made(&records, &backbone, ModelOrigin::Bootstrap, VferArchitecture::default(), &bytes, None, 0).unwrap();
    let config = FederationConfig {
        name: "test".to_owned(),
        deployment: None,
        stage: Stage::default(),
        learning: LearningSettings::default(),
        capture: CaptureSettings::default(),
        rounds: RoundSettings::default(),
        limits: UpdateLimits::default(),
        strategy: Strategy::default(),
        few_contributors: false,
        bounds: FederationBounds::default(),
    };
    let acceptance = Box::new(SanityCheck { max_norm: config.limits.max_norm });
    Federation::open(records, Arc::new(SystemClock), config, acceptance).unwrap()
}

pub fn manifests() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    vec![federation(folder.path()).snapshot().json.clone().into_bytes()]
}

pub fn statuses() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let federation = federation(folder.path());
    let snapshot = federation.snapshot();
    encoded([FederationStatus {
        name: "test".to_owned(),
        role: Role::Owner,
        join_code: "ABCD-EFGH".to_owned(),
        join_code_expires_at_s: Some(100),
        join_code_uses_left: Some(40),
        connected: 2,
        participants: federation.participants(),
        round: snapshot.manifest.round.clone(),
        rounds: federation.rounds(None, 50).unwrap(),
        models: federation.models(None, 50).unwrap(),
        settings: snapshot.settings.clone(),
        lecture: federation.lecture_status(),
        few_contributors: false,
        certificate_sha256: None,
    }])
}

pub fn events() -> Vec<Vec<u8>> {
    encoded([
        Event::RoundOpened { round: 7, base_version: 3 },
        Event::UpdateReceived { round: 7, received: 2 },
        Event::RoundClosed { round: 7, reason: CloseReason::Deadline },
        Event::ModelPublished { version: 4 },
        Event::ModelRolledBack { version: 5, restored: 3 },
        Event::LectureChanged,
        Event::FederationEnded,
    ])
}

pub fn changes() -> Vec<Vec<u8>> {
    encoded([
        RoundSettingsChange {
            minimum_clients: Some(3),
            target_clients: Some(9),
            duration_s: Some(60),
            continuous: Some(true),
        },
        RoundSettingsChange { duration_s: Some(600), ..RoundSettingsChange::default() },
    ])
}

pub fn lectures() -> Vec<Vec<u8>> {
    let samples = [
        r#"{"kind":"none"}"#,
        r#"{"kind":"video","address":"lecture/a.mp4"}"#,
        r#"{"kind":"page","address":"https://meet.example/room"}"#,
        r#"{"kind":"pictures","addresses":["lecture/1.png","lecture/2.png"]}"#,
    ];
    encoded(samples.map(|sample| serde_json::from_str::<Lecture>(sample).unwrap()))
}

pub fn join_requests() -> Vec<Vec<u8>> {
    encoded([JoinRequest { join_code: "ABCD-EFGH".to_owned() }])
}

pub fn problems() -> Vec<Vec<u8>> {
    let mut problem = Problem::new(ProblemCode::TooLarge, "the update has 9 bytes; 8 are allowed");
    problem.params.insert("limit".to_owned(), 8.into());
    let limited = Problem { retry_after_s: Some(5), ..Problem::new(ProblemCode::RateLimited, "wait") };
    let tensor = Some("head.bias".to_owned());
    encoded([problem, limited, Problem { tensor, ..Problem::new(ProblemCode::BadUpdate, "it is not finite") }])
}

/// The configuration that the documentation shows, whole and by section.
pub fn configurations() -> Vec<Vec<u8>> {
    let document = include_str!("../../../docs/CONFIGURATION.md");
    let whole = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let sections = whole.split("\n\n").filter(|section| section.starts_with('['));
    std::iter::once(whole).chain(sections).map(|text| text.as_bytes().to_vec()).collect()
}

pub fn backup() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    drop(federation(folder.path()));
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let mut bytes = Vec::new();
    Backup::take(&store, Some("token".to_owned()), 1).unwrap().write(&mut bytes).unwrap();
    bytes
}
