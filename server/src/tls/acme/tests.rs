use std::net::TcpListener;

use emofed::protocol::sha256_hex;
use rcgen::{CertificateParams, KeyPair};
use rustls_acme::{AccountCache as _, CertCache as _};
use tempfile::TempDir;

use super::super::{Source, Tls};
use super::validity::Validity;
use super::*;

const DAY_S: u64 = 86_400;

fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A key and its certificate as rustls-acme stores them, and what the certificate's fingerprint is.
fn issued(from_s: u64, to_s: u64) -> (Vec<u8>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["class.example".to_owned()]).unwrap();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + Duration::from_secs(from_s), epoch + Duration::from_secs(to_s));
    let certificate = params.self_signed(&key).unwrap();
    let pem = format!("{}\n{}", key.serialize_pem(), certificate.pem());
    (pem.into_bytes(), sha256_hex(certificate.der()))
}

/// An aggregator whose authority accepts connections and never answers.
struct Silent {
    data: TempDir,
    settings: AcmeSettings,
    _authority: TcpListener,
}

impl Silent {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let authority = TcpListener::bind("127.0.0.1:0").unwrap();
        let root = data.path().join("root.pem");
        std::fs::write(&root, rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem())
            .unwrap();
        let settings = AcmeSettings {
            domains: vec!["class.example".to_owned()],
            contact: Vec::new(),
            directory: format!("https://localhost:{}/dir", authority.local_addr().unwrap().port()),
            root_certificate: Some(root),
        };
        Self { data, settings, _authority: authority }
    }

    fn start(&self) -> Tls {
        Tls::acme(self.settings.clone(), self.data.path()).unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.data.path().join("tls/acme")
    }

    /// Nothing can be written to a folder that is a file, whoever asks.
    fn forbid_writing(&self) {
        std::fs::rename(self.folder(), self.data.path().join("aside")).unwrap();
        std::fs::write(self.folder(), "").unwrap();
    }

    fn allow_writing(&self) {
        std::fs::remove_file(self.folder()).unwrap();
        std::fs::rename(self.data.path().join("aside"), self.folder()).unwrap();
    }

    /// The content of its files, with their modes.
    fn files(&self) -> Vec<(Vec<u8>, u32)> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut files: Vec<_> = std::fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mode = |file: &Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        files.iter().map(|file| (std::fs::read(file).unwrap(), mode(file))).collect()
    }
}

fn acme(tls: &Tls) -> &Acme {
    let Source::Acme(acme) = &tls.source else { panic!("certificates are of files") };
    acme
}

impl Acme {
    async fn store(&self, pem: &[u8]) {
        self.cache.store_cert(&[], "", pem).await.unwrap();
    }

    async fn renew_for(&self, time: Duration) {
        tokio::time::timeout(time, self.renew()).await.unwrap_err();
    }

    fn has_ordered(&self) -> bool {
        self.challenges.0.read().unwrap().is_some()
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_given_from_memory_until_it_can() {
    let silent = Silent::new();
    let ((first, _), (second, fingerprint)) = (issued(now_s(), now_s() + DAY_S), issued(now_s(), now_s() + 2 * DAY_S));
    let tls = silent.start();
    let acme = acme(&tls);
    acme.store(&first).await;
    acme.cache.store_account(&[], "", b"first").await.unwrap();
    silent.forbid_writing();
    acme.store(&second).await;
    acme.cache.store_account(&[], "", b"second").await.unwrap();
    assert_eq!(tls.fingerprint().as_ref(), Some(&fingerprint), "in use");
    assert!(!acme.cache.write_again().await);
    assert_eq!(acme.cache.load_cert(&[], "").await.unwrap(), Some(second.clone()));
    assert_eq!(acme.cache.load_account(&[], "").await.unwrap(), Some(b"second".to_vec()));
    assert!(!format!("{acme:?}").contains(&format!("{:?}", b"second")), "keys are not shown");

    silent.allow_writing();
    assert_eq!(silent.files(), [(b"first".to_vec(), 0o600), (first, 0o600)]);
    // A file that can be written is, when it is loaded, and the others when the loop turns.
    assert_eq!(acme.cache.load_account(&[], "").await.unwrap(), Some(b"second".to_vec()));
    assert!(acme.cache.write_again().await);
    assert_eq!(silent.files(), [(b"second".to_vec(), 0o600), (second.clone(), 0o600)]);
    assert_eq!(acme.cache.load_cert(&[], "").await.unwrap(), Some(second));
    assert_eq!(silent.start().fingerprint(), Some(fingerprint), "after a restart");
}

#[tokio::test]
async fn what_is_stored_later_replaces_what_could_not_be_written() {
    let silent = Silent::new();
    let tls = silent.start();
    let acme = acme(&tls);
    silent.forbid_writing();
    acme.cache.store_account(&[], "", b"first").await.unwrap();
    silent.allow_writing();
    acme.cache.store_account(&[], "", b"second").await.unwrap();
    assert!(acme.cache.write_again().await);
    assert_eq!(silent.files(), [(b"second".to_vec(), 0o600)]);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_cannot_be_written_is_not_ordered_again() {
    let silent = Silent::new();
    let tls = silent.start();
    let acme = acme(&tls);
    silent.forbid_writing();
    let (pem, fingerprint) = issued(now_s() - DAY_S, now_s() + 89 * DAY_S);
    acme.store(&pem).await;
    acme.renew_for(Duration::from_secs(DAY_S)).await;
    assert!(!acme.has_ordered());
    assert_eq!((acme.failed_orders(), tls.fingerprint()), (0, Some(fingerprint)));
    silent.allow_writing();
    acme.renew_for(2 * LOOK_WHILE_UNWRITTEN).await;
    assert_eq!(silent.files(), [(pem, 0o600)]);
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_never_answers_is_told_where_a_certificate_is_due() {
    let silent = Silent::new();
    let tls = silent.start();
    let acme = acme(&tls);
    let failure = acme.order().await.unwrap_err();
    assert!(matches!(failure, FailedOrder::Silent(SILENCE)), "{failure}");
    assert!(failure.to_string().contains("nothing was heard from it for 20 minutes") && !failure.way_out().is_empty());

    // A third of its time is not left any more.
    let (pem, fingerprint) = issued(now_s() - 61 * DAY_S, now_s() + 29 * DAY_S);
    acme.store(&pem).await;
    // 20 minutes each, with pauses of one, two, and four in between.
    acme.renew_for(Duration::from_secs(90 * 60)).await;
    assert_eq!((acme.failed_orders(), tls.fingerprint()), (4, Some(fingerprint)), "the former one stays");
}

#[test]
fn another_certificate_is_due_when_a_third_of_the_time_is_left() {
    let validity = Validity { from_s: 1_000, to_s: 1_090 };
    let due_in_s = |now_s| validity.due_in(at(now_s)).map(|left| left.as_secs());
    assert_eq!([0, 1_000, 1_059].map(due_in_s), [Some(1_060), Some(60), Some(1)]);
    assert_eq!([1_060, 1_061, 1_090, 9_999].map(due_in_s), [None; 4]);
    assert_eq!(validity.due_in(at(1_059) + Duration::from_millis(999)), Some(Duration::from_millis(1)));
    // Not before rustls-acme, which has a third of a second more or less here.
    assert_eq!(Validity { from_s: 0, to_s: 100 }.due_in(at(66)), Some(Duration::from_secs(1)));
    // Dates that make no sense are those of a certificate that has to be replaced, when it ends.
    assert_eq!(Validity { from_s: 9, to_s: 5 }.due_in(at(5)), None);
}

#[test]
fn the_dates_of_a_certificate_are_read() {
    // As seconds since 1970: in two digits of a year, and in four after 2049.
    for (from_s, to_s) in [(1_700_000_000, 1_707_776_000), (1, 2), (1_700_000_000, 4_000_000_000)] {
        let (pem, _) = issued(from_s, to_s);
        let certificate = CertificateDer::from_pem_slice(&pem).unwrap();
        assert_eq!(Validity::of(certificate.as_ref()).unwrap(), Validity { from_s, to_s });
    }
    assert!(Validity::of(b"none").is_err());
}
