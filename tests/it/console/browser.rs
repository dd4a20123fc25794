//! A headless Chromium that an operator's day is tried in: one for each test, through the driver that `cargo xtask test`
//! starts.

use std::path::PathBuf;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::visitor::OpenConsole;

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Browser {
    pub(crate) client: Client,
    /// What the browser keeps, which goes with it.
    _profile: TempDir,
    width: u32,
    shots: PathBuf,
}

impl Browser {
    /// With a window of this width, and the console's session.
    pub(crate) async fn enter(console: &OpenConsole, width: u32) -> Self {
        let profile = TempDir::new().unwrap();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            &format!("--window-size={width},900"),
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let options = json!({ "args": arguments });
        let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let driver = variable("PHOTORELAY_TEST_WEBDRIVER");
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&driver).await;
        let client = client.expect("the driver starts a browser");
        client.goto(console.link.as_str()).await.unwrap();
        let shots = PathBuf::from(variable("PHOTORELAY_TEST_SCREENSHOTS"));
        std::fs::create_dir_all(&shots).unwrap();
        let browser = Self { client, _profile: profile, width, shots };
        browser.resize(900).await;
        browser
    }

    /// Emulates the width, because a window has a least width of its own.
    async fn resize(&self, height: u64) {
        let metrics = json!({ "width": self.width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        // Without motion: a colour on its way to another one is neither.
        let calm = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }, calm] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.client.issue_cmd(DevTools { command: command.to_owned(), parameters }).await.unwrap();
    }

    pub(crate) async fn goto(&self, console: &OpenConsole, path: &str) {
        self.client.goto(console.link.join(path).unwrap().as_str()).await.unwrap();
    }

    /// The element, as soon as it is there.
    pub(crate) async fn find(&self, selector: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE);
        let found = wait.for_element(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("no {selector}: {error}"))
    }

    pub(crate) async fn count(&self, selector: &str) -> usize {
        self.client.find_all(Locator::Css(selector)).await.unwrap().len()
    }

    /// Waits until the page says this.
    pub(crate) async fn says(&self, text: &str) {
        let literal = text.replace('\'', "’");
        let path = format!("//main[contains(normalize-space(.), '{literal}')]");
        let wait = self.client.wait().at_most(PATIENCE);
        if wait.for_element(Locator::XPath(&path)).await.is_err() {
            panic!("the page does not say {text:?}: {}", self.find("main").await.text().await.unwrap());
        }
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.unwrap();
    }

    /// Types into whatever has the focus.
    pub(crate) async fn press(&self, keys: &str) {
        let active = self.client.active_element().await.unwrap();
        active.send_keys(keys).await.unwrap();
    }

    pub(crate) async fn press_enter(&self) {
        self.press(&String::from(char::from(Key::Enter))).await;
    }

    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Looks at the page as it is: in both colour schemes, with axe, and for what does not fit its width. Keeps pictures.
    pub(crate) async fn inspect(&self, name: &str) {
        let axe = std::fs::read_to_string(variable("PHOTORELAY_TEST_AXE")).unwrap();
        for dark in [false, true] {
            self.dark(dark).await;
            self.script(&axe).await;
            let run = "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations), \
                       error => done([{impact: 'critical', id: String(error), nodes: []}]));";
            let violations = self.client.execute_async(run, Vec::new()).await.unwrap();
            let serious: Vec<String> = violations.as_array().unwrap().iter().filter_map(serious).collect();
            self.shoot(name, if dark { "dark" } else { "light" }).await;
            assert!(serious.is_empty(), "{name} at {} pixels, dark: {dark}: {serious:#?}", self.width);
        }
        self.dark(false).await;
        let too_wide = self.script("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(too_wide.as_i64().unwrap() <= 0, "{name} is {too_wide} pixels wider than {}", self.width);
    }

    /// The whole page.
    async fn shoot(&self, name: &str, scheme: &str) {
        let height = self.script("return document.documentElement.scrollHeight").await.as_u64().unwrap();
        self.resize(height.clamp(600, 6_000)).await;
        let picture = self.client.screenshot().await.unwrap();
        std::fs::write(self.shots.join(format!("{name}-{}-{scheme}.png", self.width)), picture).unwrap();
        self.resize(900).await;
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}

/// What axe calls serious or critical, with the elements that it found.
fn serious(violation: &Value) -> Option<String> {
    let is_serious = matches!(violation["impact"].as_str(), Some("serious" | "critical"));
    is_serious.then(|| {
        let nodes = violation["nodes"].as_array().into_iter().flatten();
        let nodes: Vec<&str> = nodes.filter_map(|node| node["html"].as_str()).collect();
        format!("{} ({}): {nodes:#?}", violation["id"], violation["help"])
    })
}

/// A command of Chromium's own protocol, which the driver passes on.
#[derive(Debug)]
struct DevTools {
    command: String,
    parameters: Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(json!({ "cmd": self.command, "params": self.parameters }).to_string()))
    }
}

/// Set by `cargo xtask test`. Without it a test fails and says so; it is never skipped.
fn variable(name: &str) -> String {
    testkit::process::service_variable(name)
}
