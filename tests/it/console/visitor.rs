//! A console beside a world, and a visitor who has its session or not.

use photorelay::app::OperatorAccess;
use photorelay::console::Console;
use photorelay_core::operator::OperatorName;
use reqwest::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use testkit::world::World;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

/// A running console.
pub(crate) struct OpenConsole {
    /// The link that opens it, once.
    pub(crate) link: Url,
    stop: CancellationToken,
    server: JoinHandle<anyhow::Result<()>>,
}

impl OpenConsole {
    /// One that only reads.
    pub(crate) async fn reading(world: &World) -> Self {
        Self::start(world, None).await
    }

    pub(crate) async fn acting(world: &World, by: &str) -> Self {
        Self::start(world, Some(by.parse::<OperatorName>().unwrap())).await
    }

    async fn start(world: &World, operator: Option<OperatorName>) -> Self {
        Self::of(world.app.operator_access(), operator).await
    }

    /// With this access to a storage.
    pub(crate) async fn of(access: OperatorAccess, operator: Option<OperatorName>) -> Self {
        let console = Console::open(access, operator, 0).await.unwrap();
        let link = Url::parse(&console.link).unwrap();
        let stop = CancellationToken::new();
        let server = TaskTracker::new().spawn(console.serve(stop.clone()));
        Self { link, stop, server }
    }

    /// Without a session.
    pub(crate) fn stranger(&self) -> Visitor {
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Visitor { client, base: self.link.join("/").unwrap(), cookie: None, csrf: String::new() }
    }

    /// With the session that the link gives.
    pub(crate) async fn enter(&self) -> Visitor {
        let mut visitor = self.stranger();
        let answer = visitor.client.get(self.link.clone()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        visitor.cookie = cookie.split(';').next().map(str::to_owned);
        assert!(answer.text().await.unwrap().contains("url=/"), "it leads on to the first page");
        let page = visitor.page("/trail").await;
        visitor.csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
        visitor
    }

    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.server.await.unwrap().unwrap();
    }
}

pub(crate) struct Visitor {
    client: Client,
    base: Url,
    pub(crate) cookie: Option<String>,
    pub(crate) csrf: String,
}

impl Visitor {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, self.base.join(path).unwrap());
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    /// With this `Host`, wherever it is sent.
    pub(crate) async fn get_as(&self, path: &str, host: &str) -> Response {
        self.request(Method::GET, path).header(HOST, host).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// What the form of a page that asks for a confirmation carries.
    pub(crate) async fn form_of(&self, path: &str) -> Vec<(String, String)> {
        let page = self.page(path).await;
        let form = between(&page, "class=\"confirm card\">", "</form>");
        let hidden = form.split("<input type=\"hidden\" name=\"").skip(1);
        let field = |input: &str| (between(input, "", "\"").to_owned(), between(input, "value=\"", "\"").to_owned());
        hidden.map(field).filter(|(name, _)| name != "csrf").collect()
    }

    /// Sends such a form, and more that an operator filled in.
    pub(crate) async fn send(&self, path: &str, form: &[(String, String)], more: &[(&str, &str)]) -> Response {
        let fields = form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<(&str, &str)> = fields.chain(more.iter().copied()).collect();
        self.post(path.split('?').next().unwrap(), &fields).await
    }

    /// Looks at what will happen, and has it done.
    pub(crate) async fn confirm(&self, path: &str, more: &[(&str, &str)]) -> Response {
        self.send(path, &self.form_of(path).await, more).await
    }

    /// Sends a form as a page of the console does: with its token, and with what browsers say about where it comes from.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.form(path, fields).header("sec-fetch-site", "same-origin").header("origin", "null").send().await.unwrap()
    }

    /// The same, without what a browser says.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &self.csrf).extend_pairs(fields);
        self.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.base.port().unwrap())
    }
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before:?} is missing in {text}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("{after:?} is missing in {rest}")).0
}
