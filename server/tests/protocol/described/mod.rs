//! The aggregator beside its own OpenAPI document: schemathesis makes requests as described and not as described, and compares
//! every answer with what is described of it. `schemathesis.toml` says how, and what is left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use emofed::protocol::{AssistantToken, JoinResponse, instructor_path, path};
use reqwest::Client;

use super::harness::fresh;
use super::program::Program;

/// What takes away what other requests need: a token, the code, the open round.
const ENDING_ONE: [&str; 6] =
    ["leave", "revoke_participant", "end_assistant", "renew_join_code", "restore_model", "close_round"];
/// What takes away all tokens of a kind.
const ENDING_ALL: [&str; 2] = ["revoke_participants", "end_assistants"];

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

async fn assistant(program: &Program) -> AssistantToken {
    let request = Client::new().post(program.url(instructor_path::ASSISTANTS)).bearer_auth(program.instructor_token());
    request.send().await.unwrap().json().await.unwrap()
}

async fn participant(program: &Program) -> JoinResponse {
    let request = Client::new().post(program.url(path::PARTICIPANTS)).header("content-type", "application/json");
    let request = request.body(format!(r#"{{"join_code":"{}"}}"#, program.code()));
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and Python: .tools/test openapi"]
async fn every_answer_is_as_described() {
    let folder = fresh();
    let program = Program::start(folder.path(), &["--operator"]);
    let (contributing, update) = program.clients(1).await.remove(0);
    let update_file = folder.path().join("update.safetensors");
    std::fs::write(&update_file, update.encode()).unwrap();
    let operator = std::fs::read_to_string(folder.path().join("operator-token")).unwrap();
    let (instructor, revoked_assistant) = (assistant(&program).await.token, assistant(&program).await.id);
    let revoked_participant = participant(&program).await.participant;

    let url = program.url("/api/v2/openapi.json");
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, Client::new().get(&url).send().await.unwrap().bytes().await.unwrap()).unwrap();
    passes(installed("openapi-spec-validator").args(["--schema", "3.1"]).arg(&document));

    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/described");
    let check = |filter: &str, operations: &[&str]| {
        let mut schemathesis = installed("schemathesis");
        schemathesis.current_dir(&folder).envs([
            ("PYTHONPATH", settings.to_str().unwrap()),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PARTICIPANT", &contributing),
            ("INSTRUCTOR", &instructor),
            ("OWNER", program.instructor_token()),
            ("OPERATOR", operator.trim()),
            ("JOIN_CODE", program.code()),
            ("UPDATE", update_file.to_str().unwrap()),
            ("REVOKED_PARTICIPANT", &revoked_participant),
            ("REVOKED_ASSISTANT", &revoked_assistant),
        ]);
        schemathesis.arg("--config-file").arg(settings.join("schemathesis.toml")).args(["run", "--no-color", &url]);
        schemathesis.args(operations.iter().flat_map(|operation| [filter, operation]));
        passes(&mut schemathesis);
    };
    check("--exclude-operation-id", &[ENDING_ONE.as_slice(), &ENDING_ALL].concat());
    // Whatever was refused of it: the update counts, and somebody has joined.
    let status = program.status().await;
    assert_eq!((status.round.unwrap().received, status.participants > 2), (1, true));
    check("--include-operation-id", &ENDING_ONE);
    check("--include-operation-id", &ENDING_ALL);
}
