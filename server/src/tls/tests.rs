use std::fs::File;
use std::time::SystemTime;

use super::*;

const NOW_S: u64 = 1_800_000_000;
const DAY_S: u64 = 86_400;

fn made(folder: &Path, names: &[&str], now_s: u64) -> Tls {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    Tls::load(self_signed::certificate(folder, &names, now_s).unwrap()).unwrap()
}

#[test]
fn a_certificate_is_made_once_and_again_for_another_name_or_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let first = made(folder.path(), &["127.0.0.1", "class.local"], NOW_S).fingerprint();
    assert_eq!(made(folder.path(), &["class.local"], NOW_S + 300 * DAY_S).fingerprint(), first);
    let key = std::fs::read(folder.path().join("tls/key.pem")).unwrap();
    let renewed = made(folder.path(), &["class.local"], NOW_S + 306 * DAY_S).fingerprint();
    assert_ne!(renewed, first);
    assert_ne!(made(folder.path(), &["192.0.2.1"], NOW_S + 306 * DAY_S).fingerprint(), renewed);
    assert_eq!(std::fs::read(folder.path().join("tls/key.pem")).unwrap(), key, "the key stays");
    #[cfg(unix)]
    for file in ["tls/key.pem", "tls/certificate.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}

#[test]
fn a_key_that_is_cut_is_told_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), &["localhost"], NOW_S);
    let file = folder.path().join("tls/key.pem");
    std::fs::write(&file, "-----BEGIN PRIVATE KEY-----").unwrap();
    let error = self_signed::certificate(folder.path(), &["localhost".to_owned()], NOW_S).unwrap_err().to_string();
    assert!(error.contains("key.pem is not usable"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"-----BEGIN PRIVATE KEY-----");
}

#[test]
fn changed_files_are_read_again_and_what_does_not_fit_is_not_used() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tls = made(folder.path(), &["localhost"], NOW_S);
    let first = tls.fingerprint();
    assert!(!tls.refresh().unwrap());
    let another = made(other.path(), &["localhost", "class.local"], NOW_S);
    let copy = |name: &str| {
        let name = format!("tls/{name}.pem");
        let to = folder.path().join(&name);
        std::fs::copy(other.path().join(&name), &to).unwrap();
        // Clocks of file systems are coarse.
        let later = SystemTime::now() + std::time::Duration::from_secs(10);
        File::options().append(true).open(&to).unwrap().set_modified(later).unwrap();
    };
    // As a renewal does it: the certificate, and a moment later its key.
    copy("certificate");
    assert!(matches!(tls.refresh(), Err(TlsError::Mismatch { .. })));
    assert!(!tls.refresh().unwrap(), "told once");
    assert_eq!(tls.fingerprint(), first);
    copy("key");
    assert!(tls.refresh().unwrap());
    assert_eq!(tls.fingerprint(), another.fingerprint());
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), &["localhost"], NOW_S);
    let file = |name: &str| folder.path().join("tls").join(name);
    let load = |certificate: &str, key: &str| {
        let files = CertificateFiles { certificate: file(certificate), key: file(key) };
        Tls::load(files).unwrap_err().to_string()
    };
    assert!(load("none.pem", "key.pem").contains("none.pem cannot be accessed"));
    assert!(load("key.pem", "key.pem").contains("there is no certificate in it"));
    assert!(load("certificate.pem", "certificate.pem").contains("there is no private key in it"));
}

#[test]
fn names_and_origins_are_what_browsers_have_in_their_address_bars() {
    let names = |address: &str| self_signed::names(address.parse().unwrap()).unwrap();
    assert_eq!(names("192.0.2.7:1"), ["192.0.2.7"]);
    assert_eq!(names("127.0.0.1:1"), ["127.0.0.1", "localhost"]);
    let all = names("0.0.0.0:1");
    assert!(
        all.contains(&"127.0.0.1".to_owned()) && all.iter().all(|name| name != "0.0.0.0" && !name.contains(':')),
        "{all:?}"
    );
    assert_eq!(self_signed::origin("192.0.2.7", 8787), "https://192.0.2.7:8787");
    assert_eq!(self_signed::origin("2001:db8::1", 443), "https://[2001:db8::1]");
    assert_eq!(with_colons("0aff"), "0A:FF");
}
