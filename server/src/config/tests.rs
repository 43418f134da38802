use super::*;
use emofed::learning::DifferenceEncoding;

const STATEMENT: &str =
    "[deployment]\npurpose = 'research'\njurisdiction = 'X'\nlegal_basis = 'IRB 1'\ncontact = 'c'\n";

fn check(text: &str, address: &str) -> Result<(), ConfigError> {
    toml::from_str::<Config>(text).unwrap().check(address.parse().unwrap())
}

#[test]
fn beyond_loopback_needs_a_statement_tls_and_a_name() {
    let proxy = format!("trusted_proxy = true\npublic_origin = 'https://class.example.org'\n{STATEMENT}");
    assert!(check("", "127.0.0.1:1").is_ok() && check("", "[::1]:1").is_ok());
    assert!(matches!(check("", "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
    assert!(matches!(check(STATEMENT, "0.0.0.0:1"), Err(ConfigError::NoTls(_))));
    assert!(check(&proxy, "0.0.0.0:1").is_ok());
    let blank = STATEMENT.replace("'IRB 1'", "' '");
    assert!(matches!(check(&blank, "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
    // A proxy on the same machine serves others, too.
    assert!(matches!(check("trusted_proxy = true", "127.0.0.1:1"), Err(ConfigError::NoDeployment(_))));
    let nameless = format!("trusted_proxy = true\n{STATEMENT}");
    assert!(matches!(check(&nameless, "127.0.0.1:1"), Err(ConfigError::NoPublicOrigin)));
    assert!(check(&proxy, "127.0.0.1:1").is_ok());
}

#[test]
fn with_tls_no_proxy_is_needed_beyond_loopback() {
    let tls = "[tls]\ncertificate = 'c'\nkey = 'k'\n";
    let named = format!("public_origin = 'https://class.example.org'\n{STATEMENT}{tls}");
    assert!(check(&named, "0.0.0.0:1").is_ok());
    assert!(check(tls, "127.0.0.1:1").is_ok());
    assert!(matches!(check(tls, "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
    assert!(matches!(check(&format!("{STATEMENT}{tls}"), "0.0.0.0:1"), Err(ConfigError::NoPublicOrigin)));
    let plain = check(&named.replace("https://", "http://"), "0.0.0.0:1").unwrap_err().to_string();
    assert!(plain.contains("must begin with https://"), "{plain}");

    let self_signed = |text: &str, address: &str| {
        Config { certificate: CertificateSource::SelfSigned, ..toml::from_str(text).unwrap() }
            .check(address.parse().unwrap())
    };
    assert!(self_signed("", "127.0.0.1:1").is_ok());
    assert!(self_signed(STATEMENT, "0.0.0.0:1").is_ok(), "the address is the name");
    assert!(matches!(self_signed("", "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
    let proxy = format!("trusted_proxy = true\n{STATEMENT}");
    assert!(matches!(self_signed(&proxy, "0.0.0.0:1"), Err(ConfigError::NoPublicOrigin)));
}

#[test]
fn acme_wants_agreement_domains_and_a_statement() {
    const AGREED: &str = "[acme]\ndomains = ['class.example.org']\nterms_of_service_agreed = true\n";
    let acme = |text: &str| {
        let config = Config { certificate: CertificateSource::Acme, ..toml::from_str(text).unwrap() };
        config.check("127.0.0.1:1".parse().unwrap())
    };
    let whole = format!("{STATEMENT}{AGREED}");
    assert!(acme(&whole).is_ok());
    assert!(acme(&format!("public_origin = 'https://class.example.org'\n{whole}")).is_ok());
    assert!(matches!(acme(AGREED), Err(ConfigError::NoDeployment(_))), "on loopback, too");
    let directory = "directory = 'http://a.example/directory'\n";
    for (text, words) in [
        (STATEMENT.to_owned(), "a section [acme]"),
        (whole.replace("true", "false"), "terms_of_service_agreed"),
        (whole.replace("class.example.org", "192.0.2.7"), "acme.domains"),
        (whole.replace("class.example.org", "*.example.org"), "acme.domains"),
        (whole.replace("'class.example.org'", ""), "acme.domains"),
        (format!("{whole}contact = ['mailto:a@b.example']"), "acme.contact"),
        (format!("{whole}{directory}"), "acme.directory"),
        (format!("trusted_proxy = true\npublic_origin = 'https://class.example.org'\n{whole}"), "trusted_proxy"),
        (format!("public_origin = 'https://other.example.org'\n{whole}"), "public_origin"),
    ] {
        let error = acme(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let unused: Config = toml::from_str(&whole).unwrap();
    assert!(!unused.has_tls(), "the section alone asks nobody");
}

#[test]
fn the_documentation_has_every_key_and_the_defaults() {
    let document = include_str!("../../../docs/CONFIGURATION.md");
    let sample = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let file = include_str!("../../../docs/emofed.example.toml");
    assert_eq!(file.split_once("\n\n").unwrap().1, sample, "the sample file and the document differ");
    let config: Config = toml::from_str(sample).unwrap();
    config.check("0.0.0.0:1".parse().unwrap()).unwrap();
    // Every option is given, so that all keys there are come back.
    let keys = |table: &toml::Table| {
        let mut keys = Vec::new();
        for (key, value) in table {
            match value {
                toml::Value::Table(below) => keys.extend(below.keys().map(|name| format!("{key}.{name}"))),
                _ => keys.push(key.clone()),
            }
        }
        keys.sort();
        keys
    };
    let documented: toml::Table = sample.parse().unwrap();
    assert_eq!(keys(&documented), keys(&toml::Table::try_from(&config).unwrap()));
    let reachable =
        UpdateLimits::reachable(&config.learning.clone().into(), config.limits.max_examples, 200_000).max_norm;
    assert!((reachable - config.limits.max_norm.unwrap()).abs() < 0.01, "{reachable}");
    let limits = LimitsConfig { max_norm: None, joins_per_address_per_hour: None, ..config.limits };
    let strategy = Strategy { clip_norm: None, difference: DifferenceEncoding::None, ..config.strategy };
    let without_options = Config {
        telemetry: TelemetryConfig::default(),
        name: None,
        stage: StageConfig::default(),
        tls: None,
        acme: None,
        trusted_proxy: false,
        public_origin: None,
        deployment: None,
        limits,
        strategy,
        ..config
    };
    assert_eq!(without_options, Config::default());
}

#[test]
fn the_sample_of_a_class_wants_its_statement_and_nothing_else() {
    let sample = include_str!("../../../docs/emofed.class.toml");
    let with_tls = |text: &str| Config { certificate: CertificateSource::SelfSigned, ..toml::from_str(text).unwrap() };
    let address = "0.0.0.0:1".parse().unwrap();
    assert!(matches!(with_tls(sample).check(address), Err(ConfigError::NoDeployment(_))));
    with_tls(&sample.replace("\"\"", "\"filled in\"")).check(address).unwrap();
}

#[test]
fn few_contributors_are_for_loopback() {
    let text = format!("trusted_proxy = true\npublic_origin = 'https://a.example'\n{STATEMENT}");
    let few = |text: &str| Config { few_contributors: true, ..toml::from_str(text).unwrap() };
    let address = "127.0.0.1:1".parse().unwrap();
    assert!(few("[rounds]\nminimum_clients = 1").check(address).is_ok());
    assert!(matches!(few(&text).check(address), Err(ConfigError::FewBeyondLoopback)));
}

#[test]
fn mistakes_are_found_and_named() {
    for unknown in [
        "minimum_client = 3",
        "[rounds]\nminimum = 3",
        "[learning]\nepoch = 1",
        "[capture]\nclip_s = 3",
        "[limits]\nx = 1",
    ] {
        assert!(toml::from_str::<Config>(unknown).is_err(), "{unknown}");
    }
    for (text, words) in [
        ("[strategy]\nname = 'mean'", "there is no strategy"),
        ("[strategy]\nname = 'fedavgm'", "needs the parameter momentum"),
        ("[strategy]\nname = 'median'\ntrim = 0.1", "trim is no parameter of median"),
    ] {
        let error = toml::from_str::<Config>(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    for unknown in ["[learning]\nrecipe = 'adapters'", "[learning]\nupdate_encoding = 'int4'"] {
        assert!(toml::from_str::<Config>(unknown).is_err(), "{unknown}");
    }
    for (text, key) in [
        ("[learning]\nlearning_rate = 0.0", "learning.learning_rate"),
        ("[learning]\nlearning_rate = inf", "learning.learning_rate"),
        ("[learning]\nproximal = inf", "learning.proximal"),
        ("[learning]\nconfidence_threshold = nan", "learning.confidence_threshold"),
        ("[learning]\nminimum_clips = 300", "learning.minimum_clips"),
        ("[learning]\nminimum_face_px = 0.0", "learning.minimum_face_px"),
        ("[learning]\nminimum_brightness = 0.9\nmaximum_brightness = 0.8", "learning.minimum_brightness"),
        ("[learning]\nmaximum_face_aspect = 0.5", "learning.maximum_face_aspect"),
        ("[learning]\ncollapse_share = 0.0", "learning.collapse_share"),
        ("[learning]\nhold_out_share = 0.9", "learning.hold_out_share"),
        ("[capture]\nclip_overlap = 0.6", "capture.clip_overlap"),
        ("[capture]\nmax_frames_per_second = inf", "capture.max_frames_per_second"),
        ("[capture]\nminimum_frames = 31", "capture.minimum_frames"),
        ("[rounds]\nminimum_clients = 0", "rounds.minimum_clients"),
        ("[rounds]\nminimum_clients = 2", "--allow-few-contributors"),
        ("[rounds]\nminimum_clients = 2000", "limits.max_participants"),
        ("[rounds]\ntarget_clients = 2000", "rounds.target_clients"),
        ("[rounds]\nduration_s = 5", "limits.shortest_round_s"),
        ("[limits]\nmax_norm = inf", "limits.max_norm"),
        ("public_origin = 'class.example.org'", "public_origin"),
        ("[strategy]\nname = 'trimmed-mean'\ntrim = 0.6", "trim must be above 0 and below 0.5"),
        ("[strategy]\nname = 'fedavg'\nclip_norm = inf", "clip_norm must be above 0 and finite"),
        ("[strategy]\nname = 'trimmed-mean'\ntrim = 0.1", "rounds.minimum_clients is 3"),
        ("[strategy]\nname = 'multi-krum'\nbyzantine = 1\nselected = 3", "at least 5 clients"),
        ("rounds.minimum_clients = 9\n[strategy]\nname = 'krum'\nbyzantine = 1", "give single updates away"),
    ] {
        let error = check(text, "127.0.0.1:1").unwrap_err().to_string();
        assert!(error.contains(key), "{text}: {error}");
    }
}

#[test]
fn a_demonstration_may_select_a_single_update() {
    let text = "[rounds]\nminimum_clients = 5\n[strategy]\nname = 'krum'\nbyzantine = 1";
    let demonstration = Config { few_contributors: true, ..toml::from_str(text).unwrap() };
    assert!(demonstration.check("127.0.0.1:1".parse().unwrap()).is_ok());
}
