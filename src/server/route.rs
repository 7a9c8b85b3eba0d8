//! From a request to its answer: whether there is one, which route, which method, which headers.
//!
//! It knows nothing of connections, and reads no request body.

use super::fair::{BoxError, Fair};
use super::security::{Rules, Security, Verdict};
use super::source::Source;
use super::{page, scrape};
use crate::bundle::{self, File};
use crate::clock;
use crate::metrics::{Format, negotiate};
use crate::model::AccountKey;
use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

/// On every answer: nothing of ours is kept, guessed at, framed, or loads anything from elsewhere.
const HEADERS: [(HeaderName, &str); 4] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone, Copy, Debug)]
enum Route {
    Landing,
    Metrics,
    Dashboards,
    /// A file of the bundle, with its type.
    Bundled(&'static File, &'static str),
    Healthy,
    Ready,
    Reload,
}

const ROUTES: [(&str, Route); 6] = [
    ("/", Route::Landing),
    ("/metrics", Route::Metrics),
    ("/dashboards", Route::Dashboards),
    ("/-/healthy", Route::Healthy),
    ("/-/ready", Route::Ready),
    ("/-/reload", Route::Reload),
];

/// Where the files of the bundle are, and their types.
const BUNDLED: [(&str, &[File], &str); 2] =
    [("/dashboards/", bundle::DASHBOARDS, JSON), ("/rules/", bundle::RULES, YAML)];

impl Route {
    fn of(path: &str) -> Option<Self> {
        let fixed = ROUTES.into_iter().find(|(known, _)| *known == path).map(|(_, route)| route);
        fixed.or_else(|| {
            BUNDLED.into_iter().find_map(|(folder, files, content_type)| {
                let name = path.strip_prefix(folder)?;
                files.iter().find(|file| file.name == name).map(|file| Self::Bundled(file, content_type))
            })
        })
    }

    /// The methods it takes, as `Allow` has them, and what somebody is told who takes another.
    const fn methods(self) -> (&'static [Method], &'static str, &'static str) {
        match self {
            // PUT as with Prometheus.
            Self::Reload => (&[Method::POST, Method::PUT], "POST, PUT", "only POST and PUT are allowed here\n"),
            _ => (&[Method::GET, Method::HEAD], "GET, HEAD", "only GET and HEAD are allowed here\n"),
        }
    }
}

/// What a machine must be able to ask without a password, and however many requests there are: whether to restart us.
const OPEN: [&str; 2] = ["/-/healthy", "/-/ready"];

/// Answers requests out of a source.
pub(super) struct Routes {
    source: Arc<dyn Source>,
    security: Arc<Security>,
    scrapes: Arc<Semaphore>,
    scrape_wait: Duration,
}

impl Routes {
    /// At most `scrapes` answers to scrapes are under way at a time; a further one waits for `scrape_wait`.
    pub(super) fn new(
        source: Arc<dyn Source>,
        security: Arc<Security>,
        scrapes: usize,
        scrape_wait: Duration,
    ) -> Arc<Self> {
        Arc::new(Self { source, security, scrapes: Arc::new(Semaphore::new(scrapes)), scrape_wait })
    }

    /// What holds for connections and requests now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        self.security.rules()
    }

    /// As a service: with compression, and with every body taking turns with those of other connections.
    pub(super) fn service<B: Send + 'static>(
        self: &Arc<Self>,
    ) -> impl Service<Request<B>, Response = Response<Fair>, Error = Infallible, Future: Send> + Clone + Send {
        let routes = Arc::clone(self);
        let answer = service_fn(move |request: Request<B>| {
            let routes = Arc::clone(&routes);
            async move { Ok(routes.guarded_answer(&request.into_parts().0).await) }
        });
        // A repetitive text gains next to nothing from higher levels.
        let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
        ServiceBuilder::new().layer(compression).service(answer).map_response(|response| response.map(Fair::new))
    }

    /// [`answer`](Self::answer) for those whom the rules let in, with the headers the rules ask for.
    async fn guarded_answer(&self, request: &Parts) -> Answer {
        let rules = self.rules();
        let is_open = OPEN.contains(&request.uri.path());
        let verdict = if is_open { Verdict::Admitted } else { rules.judge(&request.headers).await };
        let mut answer = match verdict {
            Verdict::Admitted => self.answer(request).await,
            Verdict::Unauthorized => {
                let refusal = text(StatusCode::UNAUTHORIZED, "a user name and the right password are needed\n");
                with(refusal, WWW_AUTHENTICATE, "Basic realm=\"cloud-task-exporter\", charset=\"UTF-8\"")
            }
            Verdict::TooMany => {
                text(StatusCode::TOO_MANY_REQUESTS, "too many requests for the configured rate limit\n")
            }
            Verdict::Busy => {
                let refusal = text(StatusCode::SERVICE_UNAVAILABLE, "too many passwords wait to be checked\n");
                with(refusal, RETRY_AFTER, "10")
            }
        };
        rules.dress(answer.headers_mut());
        answer
    }

    /// A request's body is dropped unread. A HEAD is answered like a GET; hyper drops the answer's body.
    async fn answer(&self, request: &Parts) -> Answer {
        let path = request.uri.path();
        let Some(route) = Route::of(path) else {
            return text(StatusCode::NOT_FOUND, not_found());
        };
        let (methods, allow, refusal) = route.methods();
        if !methods.contains(&request.method) {
            return with(text(StatusCode::METHOD_NOT_ALLOWED, refusal), ALLOW, allow);
        }
        match route {
            Route::Landing => self.landing(),
            Route::Dashboards => html("dashboards", page::dashboards()),
            Route::Bundled(file, content_type) => answer(StatusCode::OK, content_type, whole(file.text)),
            Route::Metrics => self.metrics(&request.headers).await,
            Route::Healthy => text(StatusCode::OK, "cloud-task-exporter is healthy\n"),
            Route::Ready => self.ready(),
            Route::Reload => self.reload().await,
        }
    }

    async fn reload(&self) -> Answer {
        let Some(reload) = self.source.reload() else {
            let refusal =
                "reloads over HTTP are off; start the exporter with --web.enable-lifecycle, or send it SIGHUP\n";
            return text(StatusCode::FORBIDDEN, refusal);
        };
        match reload.await {
            Ok(()) => text(StatusCode::OK, "config reloaded\n"),
            Err(mistakes) => text(StatusCode::BAD_REQUEST, format!("{}\n", mistakes.trim_end())),
        }
    }

    fn landing(&self) -> Answer {
        let now = clock::now();
        html("landing", page::landing(&self.source.overview(now), now))
    }

    /// A running scrape holds on to what it shows until its reader is done, so their number is bounded; a prompt
    /// refusal tells the scraper more than a connection that hangs.
    async fn metrics(&self, headers: &HeaderMap) -> Answer {
        let Ok(Ok(place)) = timeout(self.scrape_wait, Arc::clone(&self.scrapes).acquire_owned()).await else {
            let refusal = text(StatusCode::SERVICE_UNAVAILABLE, "too many scrapes are under way\n");
            return with(refusal, RETRY_AFTER, "10");
        };
        let format = accepted(headers);
        let body = scrape::body(self.source.scrape(format), place).boxed_unsync();
        with(answer(StatusCode::OK, format.content_type(), body), VARY, "Accept, Accept-Encoding")
    }

    fn ready(&self) -> Answer {
        let unpolled = self.source.unpolled_accounts();
        if unpolled.is_empty() {
            return text(StatusCode::OK, "cloud-task-exporter is ready\n");
        }
        let names: Vec<String> =
            unpolled.iter().map(|AccountKey { provider, account }| format!("{provider}/{account}")).collect();
        let reason = format!("cloud-task-exporter is not ready: no poll has ended yet of {}\n", names.join(", "));
        text(StatusCode::SERVICE_UNAVAILABLE, reason)
    }
}

/// A request may spread its list over several headers of the name.
fn accepted(headers: &HeaderMap) -> Format {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    negotiate(Some(&values.join(",")))
}

fn not_found() -> String {
    let bundled =
        BUNDLED.into_iter().flat_map(|(folder, files, _)| files.iter().map(move |file| [folder, file.name].concat()));
    let paths: Vec<String> = ROUTES.into_iter().map(|(path, _)| path.to_owned()).chain(bundled).collect();
    format!("not found; there are {}\n", paths.join(", "))
}

/// A page, or that it cannot be had, which only a bug can cause.
fn html(name: &'static str, page: askama::Result<String>) -> Answer {
    match page {
        Ok(page) => answer(StatusCode::OK, HTML, whole(page)),
        Err(error) => {
            tracing::error!(%error, page = name, "a page cannot be rendered");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be rendered\n")
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    answer(status, TEXT, whole(text))
}

fn whole(text: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(text.into()).map_err(Into::into).boxed_unsync()
}

fn answer(status: StatusCode, content_type: &'static str, body: UnsyncBoxBody<Bytes, BoxError>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    with(answer, CONTENT_TYPE, content_type)
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
