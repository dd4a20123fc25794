//! `photorelay console`: pages by which an operator sees what happens and acts on it, on the operator's own machine.
//!
//! It listens on loopback, reads the storage with the operator's own sign-in, and changes nothing unless it was started
//! to act. Everything that it shows is untrusted: templates escape, pictures are verified and decoded before they are
//! served. No page may walk through all users: what needs that runs in the background, once at a time.

mod approvals;
mod assets;
mod charts;
mod detached;
mod everything;
mod naming;
mod now;
mod people;
mod picture_room;
mod pictures;
mod preview;
mod query;
mod render;
mod security;
mod session;
mod state;
mod status_cache;
mod trail;
mod verification;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use photorelay_core::operator::OperatorName;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::OperatorAccess;
use detached::DetachedWork;
use everything::DecidingEverything;
use naming::NameCache;
use picture_room::PictureRoom;
use render::PageError;
use session::SessionDoor;
use state::ConsoleState;
use status_cache::StatusCache;
use verification::Verification;

/// How long an open page may take to be answered after a request to stop.
const GRACE: Duration = Duration::from_secs(2);

/// How long what an operator decided may take to its end after a request to stop.
const LAST_ACT: Duration = Duration::from_secs(30);

/// A console that is ready to answer.
pub struct Console {
    listener: TcpListener,
    state: Arc<ConsoleState>,
    /// Where it opens, once. A secret until then.
    pub link: String,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

impl Console {
    /// Binds the port of the loopback interface (0 for any) and makes the link.
    pub async fn open(access: OperatorAccess, operator: Option<OperatorName>, port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let port = listener.local_addr()?.port();
        let (admission, secret) = SessionDoor::new()?;
        let tasks = TaskTracker::new();
        // What acts is waited for at the end; what only reads is not.
        let (reading, workshop) = (DetachedWork::new(tasks.clone()), DetachedWork::new(TaskTracker::new()));
        let OperatorAccess { storage, targets, graph, watch, .. } = access;
        let state = ConsoleState {
            port,
            admission,
            operator,
            targets,
            status: StatusCache::new(watch.clone(), tasks.clone()),
            watch,
            names: NameCache::new(graph.clone().ok(), tasks),
            pictures: PictureRoom::new(Arc::clone(&storage.blobs)),
            verification: Verification::new(storage.clone(), reading),
            everything: DecidingEverything::new(storage.clone(), workshop.clone()),
            workshop,
            graph,
            storage,
        };
        let link = format!("http://127.0.0.1:{port}{}{secret}", security::OPEN_PATH);
        Ok(Self { listener, state: Arc::new(state), link })
    }

    /// Answers until it is to stop. What an operator has decided is carried out before it ends, or ends between two
    /// people if it concerns all of them; what only reads is dropped.
    ///
    /// Boxed, so that the server is compiled in this crate and not again in every program that opens a console.
    pub fn serve(self, stop: CancellationToken) -> BoxFuture<'static, Result<()>> {
        self.answer(stop).boxed()
    }

    async fn answer(self, stop: CancellationToken) -> Result<()> {
        let state = Arc::clone(&self.state);
        let served =
            axum::serve(self.listener, router(self.state)).with_graceful_shutdown(stop.clone().cancelled_owned());
        let deadline = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let ended = tokio::select! {
            served = served.into_future() => served.context("the HTTP server stopped"),
            () = deadline => Ok(()),
        };
        state.everything.stop();
        if tokio::time::timeout(LAST_ACT, state.workshop.finished()).await.is_err() {
            tracing::warn!("the storage is slow: what was decided last may not be recorded; look at it again");
        }
        ended
    }
}

fn router(state: Arc<ConsoleState>) -> Router {
    Router::new()
        .route("/open/{secret}", get(open))
        .route("/", get(now::page))
        .route("/people", get(people::search))
        .route("/people/{user}", get(people::page))
        .route("/people/{user}/restore", get(people::ask_restore).post(people::restore))
        .route("/people/{user}/undo", get(people::ask_undo).post(people::undo))
        .route("/photos/{user}/{photo}", get(pictures::photo))
        .route("/photos/{user}/{photo}/{rendition}", get(pictures::rendition))
        .route("/before/{user}/{value}", get(pictures::before))
        .route("/approvals", get(approvals::page).post(approvals::decide))
        .route("/preview", get(preview::page))
        .route("/trail", get(trail::page))
        .route("/trail/verify", post(trail::verify))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/console.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .fallback(async || PageError::NotFound("There is no such page.".to_owned()))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), security::guard))
        .with_state(state)
}

/// Leads on to the first page. A redirect would not: where the link was clicked in a page of another site, a browser keeps
/// a cookie that is for this site alone from the request that follows a redirect.
const OPENED: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>photorelay</title>\
                      <meta http-equiv=\"refresh\" content=\"0; url=/\"><p><a href=\"/\">Open the console</a>";

/// The link: exchanged for the session's cookie, once.
async fn open(State(console): State<Arc<ConsoleState>>, Path(secret): Path<String>) -> Response {
    match console.admission.open(&secret) {
        Ok(Some(session)) => {
            let cookie = security::session_cookie(console.port, &session);
            let headers = [(header::SET_COOKIE, cookie), (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned())];
            (headers, OPENED).into_response()
        }
        Ok(None) => {
            let text = "this link does not open the console; a link works once. If it was not you who used it, end the \
                        console in its terminal; then start it again for a new link\n";
            (StatusCode::FORBIDDEN, text).into_response()
        }
        Err(error) => PageError::Failed(error).into_response(),
    }
}
