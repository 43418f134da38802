//! The federation's secrets: its join code and the instructor's token, and the links that have them.

use std::path::{Path, PathBuf};

use emofed::protocol::{JoinCode, sha256_hex};
use emofed_server::clock::{Clock as _, SystemClock};
use emofed_server::secret::{self, OPERATOR_TOKEN_FILE, write_private};
use emofed_server::store::{FederationRecord, FederationRegistry, Records};

use super::Failure;

/// The federation and the instructor's token, made at the first start.
///
/// The token is kept in a file that only its owner can read, so that a restart prints the same link; the store has its
/// hash alone. A new token locks the instructor out, so one is made only if the file was deleted: a file that is empty or
/// has another federation's token is reported.
pub fn open_federation(
    records: &Records,
    data: &Path,
    code_valid_days: u32,
    is_token_renewed: bool,
) -> Result<(FederationRecord, String), Failure> {
    let file = data.join(secret::TOKEN_FILE);
    let federation = records.federation()?;
    if let Some(federation) = federation.as_ref().filter(|_| !is_token_renewed) {
        match std::fs::read_to_string(&file).map(|token| token.trim().to_owned()) {
            Ok(token) if sha256_hex(token.as_bytes()) == federation.instructor_token_sha256 => {
                return Ok((federation.clone(), token));
            }
            // Another replica has it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && records.store().is_shared() => {
                let message = format!("{} is missing, and the federation has an instructor's token", file.display());
                let way_out = "copy the file from the data folder of the replica that made it; if it is lost, start one replica with \
                               --new-instructor-token, and copy the file from there";
                return Err(Failure::new(message, way_out));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => eprintln!(
                "{} is missing: a new instructor's token is made and kept there; earlier instructor links stop working.",
                file.display()
            ),
            known => return Err(unusable_token(&file, known)),
        }
    }
    let token = secret::token().map_err(no_randomness)?;
    write_private(&file, &token).map_err(|error| unwritable(&file, &error))?;
    let instructor_token_sha256 = sha256_hex(token.as_bytes());
    let before = federation.clone();
    let federation = match federation {
        Some(federation) => FederationRecord { instructor_token_sha256, ..federation },
        None => FederationRecord { join_code: String::new(), join_code_expires_at_s: None, instructor_token_sha256 }
            .with_new_code(SystemClock.now_s(), code_valid_days)
            .map_err(no_randomness)?,
    };
    records.change_federation(before.as_ref(), &federation)?;
    Ok((federation, token))
}

fn no_randomness(error: getrandom::Error) -> Failure {
    Failure::new(format!("no randomness: {error}"), "try again")
}

/// Why the token that was read is not the federation's, and what to do.
fn unusable_token(file: &Path, known: std::io::Result<String>) -> Failure {
    let reason = match known {
        Err(error) => format!("cannot be read: {error}"),
        Ok(token) if token.is_empty() => "is empty".to_owned(),
        Ok(_) => "does not have this federation's token".to_owned(),
    };
    let way_out = "restore the file from a backup; or delete it: the next start makes a new token, and earlier instructor \
                   links stop working";
    Failure::new(format!("{} {reason}", file.display()), way_out)
}

/// The operator's token, made at the first start that has one. In a data folder the file is all there is of it: who deletes it gets a new
/// one. What replicas share has its hash, made by the first of them; the others are given the same file.
pub fn operator_token(data: &Path, registry: &dyn FederationRegistry, is_renewed: bool) -> Result<String, Failure> {
    /// Fewest characters of a token that was put there by hand.
    const LEAST: usize = 32;
    let file = data.join(OPERATOR_TOKEN_FILE);
    let shared = registry.operator_token_sha256()?;
    let known = std::fs::read_to_string(&file).map(|token| token.trim().to_owned());
    let token = match (known, &shared) {
        (_, _) if is_renewed => made_operator_token(&file)?,
        (Ok(token), Some(sha256)) if sha256_hex(token.as_bytes()) == *sha256 => return Ok(token),
        (Err(error), Some(_)) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(unusable_token(&file, Err(error)));
        }
        (_, Some(_)) => {
            let message =
                format!("{} does not have the operator's token, which other replicas have made", file.display());
            let way_out = "copy the file from the data folder of the replica that made it; if it is lost, start one replica with \
                           --new-operator-token, and copy the file from there";
            return Err(Failure::new(message, way_out));
        }
        (Ok(token), None) if token.len() >= LEAST => token,
        (Ok(_), None) => {
            let message = format!("{} has fewer than {LEAST} characters", file.display());
            return Err(Failure::new(message, "delete the file: the next start makes a new token"));
        }
        (Err(error), None) if error.kind() == std::io::ErrorKind::NotFound => made_operator_token(&file)?,
        (Err(error), _) => return Err(unusable_token(&file, Err(error))),
    };
    registry.change_operator_token(shared.as_deref(), &sha256_hex(token.as_bytes()))?;
    Ok(token)
}

fn made_operator_token(file: &Path) -> Result<String, Failure> {
    let token = secret::token().map_err(no_randomness)?;
    write_private(file, &token).map_err(|error| unwritable(file, &error))?;
    eprintln!("The operator's token is in {}.", file.display());
    Ok(token)
}

/// The links of students and the instructor, and the file in the data folder that has them.
#[derive(Clone)]
pub struct Links {
    file: PathBuf,
    origin: String,
    instructor_token: String,
    /// The fingerprint of a certificate that nobody else vouches for.
    certificate: Option<String>,
}

impl Links {
    /// The file of the data folder with the links.
    pub const FILE: &str = "links";

    /// The origin of the instructor's link in the text of that file.
    pub fn origin_in(text: &str) -> Option<String> {
        let link = text.lines().find_map(|line| line.strip_prefix("Instructor"))?.trim();
        Some(link.split_once("/instructor.html")?.0.to_owned())
    }

    /// The links to the pages at `origin`, to be written into the folder `data`.
    pub fn new(data: &Path, origin: String, instructor_token: String) -> Self {
        Self { file: data.join(Self::FILE), origin, instructor_token, certificate: None }
    }

    /// The same with the SHA-256 of the certificate that browsers will ask about.
    pub fn with_certificate(self, certificate: Option<String>) -> Self {
        Self { certificate, ..self }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The links with `join_code`, one a line, and below them the certificate's fingerprint if there is one to compare. The secrets are in the fragments, which browsers do not send.
    pub fn text(&self, join_code: &JoinCode) -> String {
        let Self { origin, instructor_token, certificate, .. } = self;
        let code = &join_code.code;
        let certificate = certificate.as_ref().map(|sha256| format!("\nSHA-256     {sha256}")).unwrap_or_default();
        format!(
            "Student     {origin}/#join={code}\nInstructor  {origin}/instructor.html#token={instructor_token}{certificate}"
        )
    }

    /// Writes the links with `join_code` into the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, join_code: &JoinCode) -> std::io::Result<()> {
        write_private(&self.file, &self.text(join_code))
    }
}

/// The failure of writing `file`.
pub fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    let message = format!("{} cannot be written: {error}", file.display());
    Failure::new(message, "see that the disk has room and the folder can be written")
}
