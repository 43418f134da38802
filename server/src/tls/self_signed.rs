//! A certificate of the aggregator's own making, for a classroom's network: who opens the page compares its fingerprint, once.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};

use super::{CertificateFiles, TlsError};
use crate::secret::write_private;

const DAY_S: u64 = 86_400;
/// How long a certificate is valid.
const VALID_S: u64 = 365 * DAY_S;
/// One that ends sooner than this is replaced at a start.
const RENEWED_S: u64 = 60 * DAY_S;
/// Clocks of other machines may be behind.
const BACKDATED_S: u64 = DAY_S;

/// What a kept certificate is valid for.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Kept {
    /// DNS names and addresses.
    names: Vec<String>,
    /// When it ends, in seconds since 1970.
    expires_at_s: u64,
}

/// The files of a certificate that is valid for all of `names` (DNS names and addresses), in the folder `tls` of the data
/// folder `data`. The key is made once. So is the certificate, unless a name is new or it ends soon.
///
/// # Errors
/// A file cannot be read or written, or a name is none.
pub fn certificate(data: &Path, names: &[String], now_s: u64) -> Result<CertificateFiles, TlsError> {
    let folder = data.join("tls");
    std::fs::create_dir_all(&folder).map_err(|error| TlsError::file(&folder, error))?;
    let in_folder = |name: &str| folder.join(name);
    let files = CertificateFiles { certificate: in_folder("certificate.pem"), key: in_folder("key.pem") };
    let about = in_folder("certificate.json");
    let is_valid = |kept: Kept| {
        kept.expires_at_s > now_s.saturating_add(RENEWED_S) && names.iter().all(|name| kept.names.contains(name))
    };
    let kept = std::fs::read(&about).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if kept.is_some_and(is_valid) && files.read().is_ok() {
        return Ok(files);
    }
    let key = kept_key(&files.key)?;
    let expires_at_s = now_s.saturating_add(VALID_S);
    let certificate = params(names, now_s.saturating_sub(BACKDATED_S), expires_at_s)?.self_signed(&key)?;
    // First, so that a certificate that could not be written is made again.
    remove(&about)?;
    let kept = Kept { names: names.to_vec(), expires_at_s };
    let kept = serde_json::to_string_pretty(&kept).map_err(|error| TlsError::file(&about, error.into()))?;
    for (file, text) in [(&files.certificate, certificate.pem()), (&about, kept)] {
        write_private(file, &text).map_err(|error| TlsError::file(file, error))?;
    }
    Ok(files)
}

fn remove(file: &Path) -> Result<(), TlsError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(TlsError::file(file, error)),
        _ => Ok(()),
    }
}

/// The key in `file`, made if there is none. One that cannot be read is told rather than replaced.
fn kept_key(file: &Path) -> Result<KeyPair, TlsError> {
    match std::fs::read_to_string(file) {
        Ok(text) => KeyPair::from_pem(&text).map_err(|error| TlsError::unusable(file, &error)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = KeyPair::generate()?;
            write_private(file, &key.serialize_pem()).map_err(|error| TlsError::file(file, error))?;
            Ok(key)
        }
        Err(error) => Err(TlsError::file(file, error)),
    }
}

fn params(names: &[String], from_s: u64, to_s: u64) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "emofed, self-signed");
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + Duration::from_secs(from_s), epoch + Duration::from_secs(to_s));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// The names that an aggregator listening on `address` is reached by on its network, the best to print first: that address, or where it
/// listens on all, those of the machine's interfaces (IPv4 alone on 0.0.0.0) and of loopback. Link-local IPv6 addresses, which
/// no browser opens, are left out.
///
/// # Errors
/// The system does not list its interfaces.
pub fn names(address: SocketAddr) -> Result<Vec<String>, TlsError> {
    let ip = address.ip();
    let mut found = vec![ip];
    if ip.is_unspecified() {
        let interfaces = if_addrs::get_if_addrs().map_err(TlsError::Addresses)?;
        found = interfaces.iter().map(if_addrs::Interface::ip).filter(|of| ip.is_ipv6() || of.is_ipv4()).collect();
        found.retain(|of| !of.is_loopback() && !matches!(of, IpAddr::V6(v6) if v6.is_unicast_link_local()));
        // A stable order, so that the link stays the same; IPv4 first, which is easier to type.
        found.sort();
        found.dedup();
        // The address that leads out comes first: others may be those of containers. Connecting a UDP socket sends nothing.
        let leads_out = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.1:9")?;
            socket.local_addr()
        });
        let leads_out = leads_out.map(|address| address.ip()).ok();
        found.sort_by_key(|of| Some(*of) != leads_out);
    }
    let mut names: Vec<String> = found.iter().map(IpAddr::to_string).collect();
    if ip.is_unspecified() || ip.is_loopback() {
        let loopback: IpAddr = if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        for local in [loopback.to_string(), "localhost".to_owned()] {
            if !names.contains(&local) {
                names.push(local);
            }
        }
    }
    Ok(names)
}

/// The origin of a server that is reached by the name or address `name`.
pub fn origin(name: &str, port: u16) -> String {
    let host = if name.parse::<Ipv6Addr>().is_ok() { format!("[{name}]") } else { name.to_ascii_lowercase() };
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}
