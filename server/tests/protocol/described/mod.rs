//! The aggregator beside its own OpenAPI document: schemathesis makes requests as described and not as described, and compares
//! every answer with what is described of it. `schemathesis.toml` says how, and what is left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use emofed::protocol::{AssistantToken, instructor_path};
use reqwest::Client;

use super::harness::fresh;
use super::program::Program;

/// What takes away what later requests need, tokens, the code and the open round: left out at first.
const ENDING: [&str; 7] = [
    "leave",
    "revoke_participant",
    "revoke_participants",
    "end_assistant",
    "end_assistants",
    "renew_join_code",
    "restore_model",
];

/// A program of the virtual environment in Python that `.tools/setup test` makes.
fn installed(name: &str) -> Command {
    let cache = std::env::var("EMOFED_CACHE").expect("EMOFED_CACHE is not set; way out: .tools/test openapi");
    let program = PathBuf::from(cache).join("openapi/venv/bin").join(name);
    assert!(program.exists(), "{} is not here; way out: .tools/setup test", program.display());
    Command::new(program)
}

fn passes(command: &mut Command) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and Python: .tools/test openapi"]
async fn every_answer_is_as_described() {
    let folder = fresh();
    let program = Program::start(folder.path(), &["--operator"]);
    let owner = program.instructor_token();
    let assistant = Client::new().post(program.url(instructor_path::ASSISTANTS)).bearer_auth(owner);
    let assistant: AssistantToken = assistant.send().await.unwrap().json().await.unwrap();
    let (participant, update) = program.clients(1).await.remove(0);
    let update_file = folder.path().join("update.safetensors");
    std::fs::write(&update_file, update.encode()).unwrap();
    let operator = std::fs::read_to_string(folder.path().join("operator-token")).unwrap();

    let url = program.url("/api/v2/openapi.json");
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, Client::new().get(&url).send().await.unwrap().bytes().await.unwrap()).unwrap();
    passes(installed("openapi-spec-validator").args(["--schema", "3.1"]).arg(&document));

    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/described");
    let without_ending: Vec<_> = ENDING.iter().flat_map(|operation| ["--exclude-operation-id", operation]).collect();
    for (filters, instructor) in [(without_ending, assistant.token.as_str()), (Vec::new(), owner)] {
        let mut schemathesis = installed("schemathesis");
        schemathesis.current_dir(&folder).env("PYTHONPATH", &settings).env("PYTHONDONTWRITEBYTECODE", "1");
        schemathesis.env("PARTICIPANT", &participant).env("INSTRUCTOR", instructor).env("OWNER", owner);
        schemathesis.env("OPERATOR", operator.trim()).env("JOIN_CODE", program.code()).env("UPDATE", &update_file);
        schemathesis.arg("--config-file").arg(settings.join("schemathesis.toml")).args(["run", "--no-color", &url]);
        schemathesis.args(filters);
        passes(&mut schemathesis);
    }
}
