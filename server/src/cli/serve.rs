//! `emofed serve`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use emofed::protocol::{JoinCode, RoundSettingsChange};
use emofed_server::clock::{Clock as _, SystemClock};
use emofed_server::config::{CertificateSource, Config};
use emofed_server::embedded;
use emofed_server::round::Federation;
use emofed_server::serve::{Admission, App, ConnectionBounds, EventStreams, JoinLimiter, Page, serve};
use emofed_server::store::{FederationFolders, Records, Store};
use emofed_server::telemetry::{Telemetry, TelemetryError};
use emofed_server::tls::with_colons;
use tokio::net::TcpListener;

use super::configured::{ConfiguredArguments, ConfiguredCertificate, configured_certificate};
use super::credentials::{Links, open_federation, operator_token, unwritable};
use super::first_model::{first_model, model_values};
use super::hosting::{Checks, Hosting, host};
use super::import::import_embedded;
use super::server_certificate::{ServerCertificate, origins};
use super::storage::{Storage, starting};
use super::{Failure, print, runtime};

/// How long it may take until other replicas are heard.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configured: ConfiguredArguments,
    /// The built page [default: the one that is part of this program, in a build that has it]
    #[arg(long, env = "EMOFED_DIST", value_name = "DIR")]
    dist: Option<PathBuf>,
    /// The configuration, in TOML
    #[arg(long, env = "EMOFED_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A feature cache to measure every new model on; one that is worse than the model before it is rejected
    #[arg(long, env = "EMOFED_HELD_OUT", value_name = "CACHE")]
    held_out: Option<PathBuf>,
    /// How much macro F1 on the held-out clips may fall in a round, 0 to 1
    #[arg(long, default_value_t = 0.02, value_name = "F", requires = "held_out")]
    held_out_tolerance: f64,
    /// Make a new join code: the old one lets nobody join any more; who has joined stays. At this start only, so leave it
    /// out of a service's command line
    #[arg(long)]
    new_join_code: bool,
    /// Print the links, which have the join code and the instructor's token in them, although standard output is no
    /// terminal and may be a log that keeps them
    #[arg(long)]
    print_links: bool,
    /// Make a new instructor's token: earlier instructor links stop working. With --store alone; at this start only. A data folder
    /// makes one when its file instructor-token was deleted
    #[arg(long, requires = "store")]
    new_instructor_token: bool,
    /// Make a new operator's token: the earlier one stops being right, at other replicas, too. With --store alone; at this start only. A
    /// data folder makes one when its file operator-token was deleted
    #[arg(long, requires = "store")]
    new_operator_token: bool,
    #[command(flatten)]
    storage: Storage,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.configured.read(arguments.config.as_deref())?;
    let _sends_what_is_left = Telemetry::start(config.telemetry.otlp_endpoint.as_deref())?;
    let certificate = configured_certificate(&config)?;
    if let Some(dist) = arguments.dist.as_deref().filter(|dist| !dist.join("index.html").is_file()) {
        let message = format!("{} has no index.html", dist.display());
        return Err(Failure::new(message, "build the page with `make build`, or name another folder with --dist"));
    }
    runtime()?.block_on(start(arguments, config, certificate))
}

impl From<TelemetryError> for Failure {
    fn from(error: TelemetryError) -> Self {
        Self::new(error.to_string(), "write it as http://HOST:4318, or leave it out")
    }
}

async fn start(arguments: Arguments, config: Config, certificate: ConfiguredCertificate) -> Result<(), Failure> {
    let configured = &arguments.configured;
    let data = arguments.storage.folder()?;
    let (store, registry) = arguments.storage.open_with_registry()?;
    refuse_folders(store.as_ref(), &data)?;
    let one_at_a_time = starting(store.as_ref())?;
    let records = Records::open(store)?;
    let code_days = config.limits.join_code_days;
    let (record, instructor_token) = open_federation(&records, &data, code_days, arguments.new_instructor_token)?;
    let operator_token =
        config.operator.enabled.then(|| operator_token(&data, registry.as_ref(), arguments.new_operator_token));
    let operator_token = operator_token.transpose()?;
    if arguments.new_operator_token && operator_token.is_none() {
        return Err(Failure::new("--new-operator-token without an operator", "say --operator, too, or leave it out"));
    }
    // Bound before the first model is made, so that a taken port is told at once.
    let listener = TcpListener::bind(configured.listen).await.map_err(|error| {
        let message = format!("{} cannot be listened on: {error}", configured.listen);
        Failure::new(message, "stop what uses it, or choose another with --listen ADDRESS:PORT")
    })?;
    let address = listener.local_addr().unwrap_or(configured.listen);
    let secured = ServerCertificate::new(certificate, &data, address, &configured.tls_name, &config)?;
    import_embedded(&records)?;
    first_model(&records).await?;
    let checks = Checks::new(&records, arguments.held_out.as_deref(), arguments.held_out_tolerance)?;

    if configured.minimum_clients.is_some() {
        // A flag is newer than what the instructor set on the page some time ago, but says nothing of the other settings.
        let change = RoundSettingsChange { minimum_clients: configured.minimum_clients, ..Default::default() };
        records.put_settings(&change.or(&records.settings()?))?;
    }
    let federation_config = config.federation_config(model_values(&records)?);
    let acceptance = checks.make(&federation_config);
    let federation = Arc::new(Federation::open(records.clone(), Arc::new(SystemClock), federation_config, acceptance)?);
    let is_expired = record.is_code_expired(SystemClock.now_s());
    let admission = Admission::new(records.clone(), Arc::new(SystemClock), record, code_days)
        .with_code_uses(config.limits.join_code_uses);
    if arguments.new_join_code || is_expired {
        if is_expired {
            eprintln!("The join code has expired: there is a new one. Who has joined stays.");
        }
        admission.renew_code()?;
    }
    if let Some(mut changes) = records.store().changes() {
        // From now on nobody imports or publishes.
        let heard = tokio::time::timeout(LISTEN_TIMEOUT, changes.wait_for(|count| *count > 0)).await;
        if !matches!(heard, Ok(Ok(_))) {
            let way_out =
                "see that the database is reached directly or through a pooler in session mode, and start again";
            return Err(Failure::new("the database does not notify of what other replicas do", way_out));
        }
    }
    drop(one_at_a_time);
    let origins = origins(&config, address, secured.as_ref());
    let scheme = if origins.is_tls { "https" } else { "http" };
    let origin = origins.public.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
    // The fingerprint of a certificate that an authority has signed is nothing to compare, and changes when it is renewed.
    let is_self_signed = config.certificate == CertificateSource::SelfSigned;
    let to_compare = secured.as_ref().filter(|_| is_self_signed).and_then(|secured| secured.tls.fingerprint());
    let links =
        Links::new(&data, origin.clone(), instructor_token).with_certificate(to_compare.as_deref().map(with_colons));
    let join_code = admission.join_code()?;
    let renewed = links.clone();
    let admission = admission.on_renewal(move |code| {
        if let Err(error) = renewed.write(code) {
            tracing::warn!(%error, file = %renewed.file().display(), "the file of links still has the old join code");
        }
    });
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let app = App {
        federation,
        admission: Arc::new(admission),
        joins: Arc::new(JoinLimiter::new(config.limits.joins_per_address())),
        origins,
        tls: secured.map(|secured| Arc::new(secured.tls)),
        connections: ConnectionBounds::for_this_process(config.limits.connections_per_address),
        streams: EventStreams::default(),
        stopping,
    };
    let few_contributors = config.few_contributors;
    let host = host(app, Hosting { data, records, registry, operator_token, config, checks, link_origin: origin })?;
    if few_contributors {
        tracing::warn!("fewer than three contributors are allowed: a published model can give single updates away");
    }
    // Heard before the links are out: whoever waits for them may send one at once.
    let heard = wait_for_signal();
    publish_links(&links, &join_code, arguments.print_links || std::io::stdout().is_terminal())?;
    let signal = async move {
        heard.await;
        tracing::info!("stopping; requests under way are finished");
        // Nobody listening any more is a stop, too.
        let _ = stop.send(true);
    };
    let page = arguments.dist.map_or_else(embedded::page, Page::Folder);
    Ok(serve(listener, host, page, signal).await?)
}

/// Refuses a shared store where the data folder has federations: these would not be served.
fn refuse_folders(store: &dyn Store, data: &Path) -> Result<(), Failure> {
    if store.is_shared() && FederationFolders::are_in(data) {
        let message = format!("{} has federations that an operator made, and --store has others", data.display());
        return Err(Failure::new(
            message,
            "name a data folder without federations with --data DIR, or leave --store out",
        ));
    }
    Ok(())
}

/// Writes the links to a file for its owner alone; prints them only on a terminal or on request, since a log keeps what it gets.
fn publish_links(links: &Links, join_code: &JoinCode, may_print: bool) -> Result<(), Failure> {
    links.write(join_code).map_err(|error| unwritable(links.file(), &error))?;
    if may_print {
        print(links.text(join_code));
    } else {
        print(format!("Ready. The links for students and the instructor are in {}", links.file().display()));
    }
    Ok(())
}

/// Listens for SIGINT and SIGTERM from now on; resolves at the first.
#[cfg(unix)]
fn wait_for_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        let waits = signals.into_iter().filter_map(Result::ok).map(|mut signal| {
            Box::pin(async move {
                signal.recv().await;
            })
        });
        // Without a handler, a signal ends the process at once, which loses nothing either.
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            std::future::pending::<()>().await;
        }
        futures::future::select_all(waits).await;
    }
}

#[cfg(not(unix))]
fn wait_for_signal() -> impl Future<Output = ()> {
    async {
        // Without a handler, the process ends at once.
        let _ = tokio::signal::ctrl_c().await;
    }
}
