//! A headless Chromium, driven as a person drives it: pages are opened, forms filled in, buttons pressed, texts read.
//!
//! What is asked for is waited for: an element may come with the next page, or with a live update.

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// How long an element may take to be there.
const THERE: Duration = Duration::from_secs(20);

/// How often what the page's own way elsewhere cut short is tried again.
const TRIES: u32 = 50;

/// How soon it is looked again for what a page may still become.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Pixels that a page is wider than its window.
const OVERHANG: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/// What of a page stands out of its window, and how far to the right it reaches.
const WIDEST: &str = "[...document.querySelectorAll('body *')].map((element) => [element, element.getBoundingClientRect().right])
    .filter(([, right]) => right > document.documentElement.clientWidth)
    .map(([element, right]) => element.tagName + '.' + element.className + ' to ' + right)";

/// A cookie in a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// True when it is sent by TLS only.
    pub is_secure: bool,
    /// True when no script can read it.
    pub is_hidden: bool,
}

/// One window, with cookies of its own.
#[derive(Debug)]
pub struct Browser {
    runtime: Runtime,
    client: Option<Client>,
    driver: Child,
}

impl Browser {
    /// Starts one, as wide as a desk's screen. Scripts run unless `scripts` is false.
    pub fn start(scripts: bool) -> Browser {
        Browser::start_with(capabilities(scripts, &[]))
    }

    /// Starts one whose user wants dark pages.
    pub fn in_the_dark() -> Browser {
        Browser::start_with(capabilities(true, &["--force-dark-mode"]))
    }

    /// Starts one that takes any certificate: a test's switch has made its own.
    pub fn trusting() -> Browser {
        Browser::start_with(capabilities(true, &["--ignore-certificate-errors"]))
    }

    fn start_with(capabilities: Map<String, Value>) -> Browser {
        let (driver, port) = start_driver();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let client = runtime.block_on(builder.connect(&format!("http://127.0.0.1:{port}"))).expect("a window of Chromium");
        let browser = Browser { runtime, client: Some(client), driver };
        browser.resize(1280, 900);
        browser
    }

    /// Sets the window's size in pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.run(self.client().set_window_size(width, height)).expect("a window has a size");
    }

    /// Opens a page.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.run(self.client().goto(url)).unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Goes one page back.
    pub fn back(&self) {
        self.run(self.client().back()).expect("there is a page before");
    }

    /// Asks for the page again.
    pub fn reload(&self) {
        self.at_rest(async || self.client().refresh().await).expect("a page can be asked for again");
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.run(self.client().current_url()).expect("a window is somewhere").to_string()
    }

    /// Presses what a CSS selector finds first.
    #[track_caller]
    pub fn press(&self, css: &str) {
        self.on(css, async |element| element.click().await);
    }

    /// Writes a text into a field, in place of what stands there.
    #[track_caller]
    pub fn write(&self, css: &str, text: &str) {
        self.on(css, async |field| {
            field.clear().await?;
            field.send_keys(text).await
        });
    }

    /// Chooses an option of a list by its value.
    #[track_caller]
    pub fn choose(&self, css: &str, value: &str) {
        self.on(css, async |list| list.select_by_value(value).await);
    }

    /// What is to be read in the first element that a CSS selector finds.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        self.on(css, async |element| element.text().await)
    }

    /// True when the page has such an element now.
    pub fn has(&self, css: &str) -> bool {
        self.run(self.client().find_all(Locator::Css(css))).is_ok_and(|found| !found.is_empty())
    }

    /// What the browser keeps under a name for the page's server, as it was told to.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> Kept {
        let cookie = self.run(self.client().get_named_cookie(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Kept { is_secure: cookie.secure() == Some(true), is_hidden: cookie.http_only() == Some(true) }
    }

    /// The page's HTML.
    pub fn source(&self) -> String {
        self.at_rest(async || self.client().source().await).expect("a page has a source")
    }

    /// The value of a JavaScript expression: how wide the page is, what the console has seen.
    #[track_caller]
    pub fn evaluate(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.at_rest(async || self.client().execute(&script, Vec::new()).await)
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Sees that nothing is wider than the window. A window that was just resized, or a style that is still on its way, has its time.
    #[track_caller]
    pub fn assert_no_overhang(&self) {
        let until = Instant::now() + THERE;
        while self.evaluate(OVERHANG) != json!(0) {
            assert!(Instant::now() < until, "{} is wider than the window: {}", self.url(), self.evaluate(WIDEST));
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// A picture of the window, PNG.
    pub fn picture(&self) -> Vec<u8> {
        self.run(self.client().screenshot()).expect("a window can be pictured")
    }

    /// Does something with the first element that a CSS selector finds. One that a live update or the next page has replaced meanwhile is
    /// looked for again.
    #[track_caller]
    fn on<T>(&self, css: &str, act: impl AsyncFn(&Element) -> Result<T, CmdError>) -> T {
        let acted = self.at_rest(async || {
            let element = self.client().wait().at_most(THERE).for_element(Locator::Css(css)).await?;
            act(&element).await
        });
        acted.unwrap_or_else(|error| panic!("{css} on {}: {error}\n{}", self.url(), self.source()))
    }

    /// Does it, and again when the page went elsewhere under it: by a live update, a form or a reload of its own.
    fn at_rest<T>(&self, act: impl AsyncFn() -> Result<T, CmdError>) -> Result<T, CmdError> {
        self.run(async {
            let mut tries_left = TRIES;
            loop {
                match act().await {
                    Err(error) if was_left(&error) && tries_left > 0 => tries_left -= 1,
                    acted => return acted,
                }
            }
        })
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("a window is open until it is dropped")
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // A window that is gone already is what is wanted.
            drop(self.runtime.block_on(client.close()));
        }
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// True when the page, or the element on it, went while it was asked: the driver has no error code of its own for a page that goes.
fn was_left(error: &CmdError) -> bool {
    error.is_stale_element_reference() || error.to_string().contains("aborted by navigation")
}

/// The driver draws its port and says which.
fn start_driver() -> (Child, u16) {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = command.spawn().unwrap_or_else(|error| panic!("chromedriver (Debian: chromium-driver): {error}"));
    let mut lines = BufReader::new(driver.stdout.take().expect("stdout is piped")).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, told) = line.split_once("started successfully on port ")?;
        told.trim_end_matches('.').parse().ok()
    });
    // Reads on to the end, so that the driver never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, port.expect("chromedriver says its port"))
}

fn capabilities(scripts: bool, further: &[&str]) -> Map<String, Value> {
    // Root may not use Chromium's own sandbox; a machine in a container has little shared memory.
    let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"];
    let arguments = [&arguments[..], further].concat();
    let mut options = json!({ "args": arguments });
    if !scripts {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    Map::from_iter([("goog:chromeOptions".to_owned(), options)])
}
