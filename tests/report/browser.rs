//! The page in a real browser: the numbers as they are rendered, in light and in dark, and whether a phone has to
//! scroll sideways.

use serde_json::Value;

use super::{agree, ran, tables_in};
use crate::support::{Call, dir, not_tested, write};

const LOOK: &str = include_str!("look.js");

/// How wide a phone is.
const PHONE: u32 = 390;

/// How a browser is started that is to show a page and touch nothing else.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // So long may timers and loads take, not by the clock: a page that loads late is waited for.
    "--virtual-time-budget=60000",
];

/// The browser, if there is one.
fn browser() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(is_there)
}

/// What `look.js` sees in `page`, where it is so wide.
fn seen(browser: &str, page: &str, width: u32, dark: bool) -> Value {
    let dir = dir();
    // The page itself lets no script run.
    let (head, policy) = page.split_once("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let page = format!("{head}{}", policy.split_once('>').unwrap().1);
    let page = page.replace("</body>", &format!("<script>{LOOK}</script></body>"));
    write(&dir, "page.html", page);
    let outer = format!(
        "<!DOCTYPE html><body><script>addEventListener('message', (e) => {{\
         document.body.textContent = 'SEEN' + encodeURIComponent(e.data) + 'SEEN'; }});</script>\
         <iframe src=page.html width={width} height=900></iframe>"
    );
    let outer = write(&dir, "outer.html", outer);
    let profile = dir.path().join("profile");
    let call = Call::new(browser).args(FLAGS).arg(format!("--user-data-dir={}", profile.display()));
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let call = call.args(["--window-size=1400,1000", &scheme, "--dump-dom"]);
    let dom = call.arg(format!("file://{}", outer.display())).stderr_any().succeeds().text();
    let seen = dom.split("SEEN").nth(1).unwrap_or_else(|| panic!("nothing was seen: {dom}"));
    let mut bytes = Vec::new();
    let mut rest = seen.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_browser_shows_the_numbers_of_the_stats_and_a_phone_the_whole_width() {
    let Some(browser) = browser() else {
        return not_tested(
            "there is no chromium: how a page is rendered (apt-get install chromium)",
        );
    };
    let dir = dir();
    let (stats, page) = ran(&dir);
    let page = String::from_utf8(page).unwrap();
    let mut grounds = Vec::new();
    for (width, dark) in [(PHONE, false), (PHONE, true), (1200, false)] {
        let seen = seen(browser, &page, width, dark);
        assert_eq!(seen["width"], width);
        assert!(seen["scroll"].as_u64().unwrap() <= u64::from(width), "{}", seen["scroll"]);
        assert_eq!((&seen["loaded"], &seen["hidden"]), (&Value::Array(Vec::new()), &0.into()));
        agree(&tables_in(&seen["tables"]), &stats);
        grounds.push(seen["ground"].clone());
    }
    assert!(grounds[0] != grounds[1] && grounds[0] == grounds[2], "{grounds:?}");
}
