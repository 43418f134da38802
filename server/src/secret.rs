//! Random ids, tokens and codes, and the files that keep secrets.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use emofed::protocol::sha256_hex;

use crate::hex::hex;

/// The file of the data folder with the instructor's token.
pub const TOKEN_FILE: &str = "instructor-token";

/// The file of the data folder with the operator's token.
pub const OPERATOR_TOKEN_FILE: &str = "operator-token";

/// Letters and digits that are not mistaken for one another when read out.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// 256 random bits, in hexadecimal.
///
/// # Errors
/// The system has no randomness.
pub fn token() -> Result<String, getrandom::Error> {
    Ok(hex(random::<32>()?))
}

/// 128 random bits, in hexadecimal.
///
/// # Errors
/// The system has no randomness.
pub fn id() -> Result<String, getrandom::Error> {
    Ok(hex(random::<16>()?))
}

/// The id of a federation, such as `kx7dq2mbw4ta`: 60 random bits.
///
/// # Errors
/// The system has no randomness.
pub fn federation_id() -> Result<String, getrandom::Error> {
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]).to_ascii_lowercase();
    Ok(random::<12>()?.iter().map(letter).collect())
}

/// Whether `text` can be an id that [`federation_id`] made.
pub fn is_federation_id(text: &str) -> bool {
    text.len() == 12
        && text.bytes().all(|byte| !byte.is_ascii_uppercase() && ALPHABET.contains(&byte.to_ascii_uppercase()))
}

/// A join code such as `KX7D-Q2MB`: 40 random bits.
///
/// # Errors
/// The system has no randomness.
pub fn join_code() -> Result<String, getrandom::Error> {
    let letters: String = random::<8>()?.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let (first, second) = letters.split_at(4);
    Ok(format!("{first}-{second}"))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub fn same(a: &str, b: &str) -> bool {
    // Comparing hashes: a position in a hash tells nothing of the secret.
    sha256_hex(a.as_bytes()) == sha256_hex(b.as_bytes())
}

/// A join code as it was meant: upper case, without what people add.
pub fn normalized_code(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
}

/// Writes a file that only its owner can read, with a line's end behind `text`.
///
/// # Errors
/// It cannot be written.
pub fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    // One that was there keeps its mode otherwise.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_kindly() {
        let code = join_code().unwrap();
        assert_eq!(code.len(), 9);
        assert_eq!(normalized_code(&code.to_lowercase().replace('-', " ")), normalized_code(&code));
        assert_ne!(code, join_code().unwrap());
    }
}
