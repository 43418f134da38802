//! Headers on every answer, and a check of where every request comes from: `Host`, `Origin`, `Sec-Fetch-Site`, and
//! forwarding headers.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;

use super::error::RequestError;

/// Headers on every answer. Scripts, workers, styles and connections only from here; WebAssembly may be compiled; frames,
/// videos and pictures of the lecture from the stage's origins, too. A meeting on the stage may ask for camera and microphone.
fn headers(origins: &Origins, may_be_embedded: bool) -> [(HeaderName, String); 6] {
    let stage: String = origins.stage.iter().map(|origin| format!(" {origin}")).collect();
    let embedders = if origins.embedders.is_empty() || !may_be_embedded {
        "'none'".to_owned()
    } else {
        origins.embedders.join(" ")
    };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; \
         img-src 'self' data: blob:{stage}; connect-src 'self'; media-src 'self' blob:{stage}; manifest-src 'self'; \
         frame-src 'self'{stage}; base-uri 'none'; form-action 'none'; frame-ancestors {embedders}"
    );
    let quoted: String = origins.stage.iter().map(|origin| format!(" \"{origin}\"")).collect();
    let permissions = format!("camera=(self{quoted}), microphone=({}), geolocation=()", quoted.trim_start());
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (HeaderName::from_static("permissions-policy"), permissions),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin".to_owned()),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin".to_owned()),
    ]
}

/// Headers that only a proxy adds.
const FORWARDING: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Paths that a machine asks on loopback although the aggregator is served under a public name.
const MACHINES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Where requests may come from.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The origin that browsers see, such as `https://class.example.org`; absent where only loopback is served.
    pub public: Option<String>,
    /// Other origins of the same aggregator, such as those of the other addresses that a self-signed certificate is valid for.
    pub aliases: Vec<String>,
    /// Whether the aggregator speaks TLS itself.
    pub is_tls: bool,
    /// Whether a proxy in front is configured.
    pub trusted_proxy: bool,
    /// Origins whose pages and files may be on the stage.
    pub stage: Vec<String>,
    /// Origins whose pages may show the student's page in a frame.
    pub embedders: Vec<String>,
}

pub(super) fn protect(router: Router, origins: Origins) -> Router {
    let made = |may_be_embedded| {
        headers(&origins, may_be_embedded).map(|(name, value)| (name, HeaderValue::try_from(value).ok()))
    };
    let (embeddable, closed) = (made(true), made(false));
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let refused = origins.check(&request).err();
        let headers = if is_students_page(&request) { embeddable.clone() } else { closed.clone() };
        async move {
            let mut response = match refused {
                Some(refused) => refused.into_response(),
                None => next.run(request).await,
            };
            // What a route says itself, as of the lecture's files, stays.
            for (name, value) in headers {
                if let Some(value) = value {
                    response.headers_mut().entry(name).or_insert(value);
                }
            }
            response
        }
    }))
}

/// The one page of each federation that others may show in a frame, if the configuration names them.
fn is_students_page(request: &Request) -> bool {
    let path = request.uri().path();
    let below = path.strip_prefix("/f/").and_then(|rest| rest.split_once('/'));
    matches!(below.map_or(path, |(_, file)| file), "/" | "/index.html" | "" | "index.html")
}

impl Origins {
    /// # Errors
    /// Why the request is refused.
    fn check(&self, request: &Request) -> Result<(), RequestError> {
        let headers = request.headers();
        if let Some(header) = FORWARDING.into_iter().find(|name| !self.trusted_proxy && headers.contains_key(*name)) {
            return Err(RequestError::UnexpectedProxy { header });
        }
        // A page elsewhere whose name resolves to this machine (DNS rebinding) sends its own name.
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| request.uri().host());
        let host = host.unwrap_or_default();
        let names = |origin: &&String| authority(origin).is_some_and(|name| name.eq_ignore_ascii_case(host));
        let named = self.public.iter().chain(&self.aliases).find(names);
        let expected = named.is_some() || (self.public.is_none() && is_loopback(host));
        let is_machine = MACHINES.contains(&request.uri().path()) && is_loopback(host);
        if !expected && !is_machine {
            return Err(match &self.public {
                Some(origin) => RequestError::NotThePublicHost { origin: origin.clone() },
                None => RequestError::NotLoopback,
            });
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let scheme = if self.is_tls { "https" } else { "http" };
            let own = named.or(self.public.as_ref()).cloned().unwrap_or_else(|| format!("{scheme}://{host}"));
            if !origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&own)) {
                return Err(RequestError::OtherOrigin);
            }
        }
        match fetch_site(headers) {
            // A link from elsewhere opens the page; it reads nothing and changes nothing.
            Some("cross-site" | "same-site") if !self.is_navigation(request) => Err(RequestError::OtherSite),
            _ => Ok(()),
        }
    }

    /// Whether the request opens a page: by a link, or in a frame of one of the embedders, whom the browser holds to the
    /// content security policy.
    fn is_navigation(&self, request: &Request) -> bool {
        let headers = request.headers();
        let destination = headers.get("sec-fetch-dest").and_then(|destination| destination.to_str().ok());
        matches!(*request.method(), Method::GET | Method::HEAD)
            && headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
            && match destination {
                Some("document") => true,
                Some("iframe") => !self.embedders.is_empty() && is_students_page(request),
                _ => false,
            }
    }
}

fn fetch_site(headers: &HeaderMap) -> Option<&str> {
    headers.get("sec-fetch-site")?.to_str().ok()
}

/// Host and port of an `http` or `https` origin, if it is one: no path, no default port, lower case.
pub fn authority(origin: &str) -> Option<&str> {
    let (rest, default_port) = match origin.strip_prefix("https://") {
        Some(rest) => (rest, ":443"),
        None => (origin.strip_prefix("http://")?, ":80"),
    };
    let is_plain = !rest.is_empty()
        && !rest.ends_with(default_port)
        && rest.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
        });
    is_plain.then_some(rest)
}

/// Whether `host`, with or without a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn passes(origins: &Origins, path: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = axum::http::Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        origins.check(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn only_loopback_names_pass() {
        for host in ["127.0.0.1:8787", "localhost", "localhost:80", "[::1]:9", "127.0.0.2"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.org", "127.0.0.1.example.org:80", "192.168.0.1:8787", "", "localhost.evil"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_proxy_that_is_not_configured_is_noticed() {
        let loopback = Origins::default();
        let host = ("host", "127.0.0.1:8787");
        assert!(passes(&loopback, "/", &[host, ("origin", "http://127.0.0.1:8787")]));
        for header in FORWARDING {
            assert!(!passes(&loopback, "/", &[host, (header, "203.0.113.9")]), "{header}");
        }
        // A proxy on the same machine that tells nothing but rewrites the host: the browser still says where the page is.
        assert!(!passes(&loopback, "/", &[host, ("origin", "https://class.example.org")]));
        assert!(!passes(&loopback, "/", &[host, ("origin", "null")]));
        assert!(!passes(&loopback, "/", &[host, ("sec-fetch-site", "cross-site")]));
        assert!(passes(&loopback, "/", &[host, ("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn beyond_loopback_the_public_name_alone_passes() {
        let public =
            Origins { public: Some("https://class.example.org".to_owned()), trusted_proxy: true, ..Origins::default() };
        let host = ("host", "class.example.org");
        assert!(passes(
            &public,
            "/",
            &[host, ("origin", "https://class.example.org"), ("x-forwarded-for", "192.0.2.1")]
        ));
        assert!(!passes(&public, "/", &[host, ("origin", "http://class.example.org")]));
        assert!(!passes(&public, "/", &[("host", "evil.example")]));
        assert!(!passes(&public, "/", &[("host", "127.0.0.1:8787")]));
        assert!(passes(&public, "/readyz", &[("host", "127.0.0.1:8787")]));
        assert!(!passes(&public, "/readyz", &[("host", "evil.example")]));
    }

    #[test]
    fn with_tls_each_name_of_the_certificate_passes_and_its_own_origin_alone() {
        let loopback = Origins { is_tls: true, ..Origins::default() };
        let host = ("host", "127.0.0.1:8787");
        assert!(passes(&loopback, "/", &[host, ("origin", "https://127.0.0.1:8787")]));
        assert!(!passes(&loopback, "/", &[host, ("origin", "http://127.0.0.1:8787")]));
        let network = Origins {
            public: Some("https://192.0.2.7:8787".to_owned()),
            aliases: vec!["https://localhost:8787".to_owned()],
            is_tls: true,
            ..Origins::default()
        };
        for name in ["192.0.2.7:8787", "localhost:8787"] {
            assert!(passes(&network, "/", &[("host", name), ("origin", &format!("https://{name}"))]), "{name}");
            assert!(!passes(&network, "/", &[("host", name), ("origin", &format!("http://{name}"))]), "{name}");
        }
        assert!(!passes(&network, "/", &[("host", "localhost:8787"), ("origin", "https://192.0.2.7:8787")]));
        assert!(!passes(&network, "/", &[("host", "192.0.2.8:8787")]));
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        assert_eq!(authority("https://class.example.org"), Some("class.example.org"));
        assert_eq!(authority("https://class.example.org:8443"), Some("class.example.org:8443"));
        for wrong in
            ["class.example.org", "https://a/", "https://a:443", "http://a:80", "https://", "https://A", "ftp://a"]
        {
            assert_eq!(authority(wrong), None, "{wrong}");
        }
    }
}
