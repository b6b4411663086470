//! A real Chromium, driven by its debugging protocol.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use crate::report_page::CHROMIUM;

/// A process that is gone with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A browser, spoken to over two pipes with its debugging protocol.
pub struct Browser {
    to: File,
    from: BufReader<File>,
    session: String,
    asked: u64,
    /// What its console complained of, such as what the policy of a page forbids.
    pub complaints: Vec<String>,
    _process: Running,
}

impl Browser {
    pub fn start(folder: &Path) -> Self {
        let [to, from] = ["to", "from"].map(|name| folder.join(name));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success());
        let process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\"", (*CHROMIUM).unwrap()])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .args(["--remote-debugging-pipe", "about:blank"])
            .env("TO", &to)
            .env("FROM", &from)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self {
            // In this order, in which the shell opens them.
            to: OpenOptions::new().write(true).open(&to).unwrap(),
            from: BufReader::new(File::open(&from).unwrap()),
            session: String::new(),
            asked: 0,
            complaints: Vec::new(),
            _process: Running(process),
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut request = json!({ "id": self.asked, "method": method, "params": params });
        if !self.session.is_empty() {
            request["sessionId"] = self.session.as_str().into();
        }
        self.to.write_all(format!("{request}\0").as_bytes()).unwrap();
        loop {
            let mut message = Vec::new();
            self.from.read_until(0, &mut message).unwrap();
            assert_eq!(message.pop(), Some(0), "Chromium ended");
            let message: Value = serde_json::from_slice(&message).unwrap();
            if message["id"] == self.asked {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            let is_told = matches!(
                message["method"].as_str(),
                Some("Log.entryAdded" | "Runtime.exceptionThrown")
            );
            // Advice on style is no complaint.
            if is_told && message["params"]["entry"]["level"] != "verbose" {
                self.complaints.push(message["params"].to_string());
            }
        }
    }

    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("document.readyState === 'complete' && !!document.querySelector('main')");
    }

    /// The value of an expression.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", params)["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let since = Instant::now();
        while self.value(expression) != true {
            if since.elapsed() > Duration::from_secs(60) {
                let page = self.value("document.body.innerText");
                panic!("{expression}\n{}", page.as_str().unwrap_or_default());
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Presses a key of a name, such as `Tab`.
    pub fn press(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == " " { " " } else { "" };
            let event =
                json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Makes the screen so many pixels wide.
    pub fn resize(&mut self, width: u64) {
        let screen =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", screen);
    }

    /// A picture of the whole page, for people to look at, where BURGEON_TEST_PICTURES=DIR says.
    pub fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("BURGEON_TEST_PICTURES") else { return };
        let all = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.call("Page.captureScreenshot", all);
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap());
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes.unwrap()).unwrap();
    }
}
