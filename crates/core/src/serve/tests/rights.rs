//! Who may see, and who may change.

use std::sync::atomic::Ordering;

use super::bench::{Bench, Reply, asked};

const BROWSER: (&str, &str) = ("Accept", "text/html");

pub(super) fn log_in(bench: &Bench, token: &str) -> (Reply, String) {
    let reply =
        bench.ask("POST /login", &[BROWSER], format!("token={token}&to=/deliveries").as_bytes());
    let cookie = reply.header("set-cookie").unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    (reply, cookie)
}

#[test]
fn each_right_does_what_it_says_and_no_more() {
    let bench = Bench::guarded();
    bench.store.enqueue(asked("")).unwrap();
    let reads = [
        "GET /",
        "GET /builds/1",
        "GET /builds/1/log",
        "GET /deliveries",
        "GET /repositories/digits",
        "GET /api/builds",
        "GET /api/builds/1",
        "GET /api/deliveries",
    ];
    let status = |line: &str, headers: &[(&str, &str)]| bench.ask(line, headers, b"").status;
    for line in reads {
        assert_eq!(status(line, &[]), 401, "{line}");
        assert_eq!(status(line, &[("Authorization", "Bearer wrong")]), 401, "{line}");
        for token in ["Bearer read-token", "bearer change-token"] {
            assert_eq!(status(line, &[("Authorization", token)]), 200, "{line}");
        }
    }
    assert_eq!(status("GET /live", &[]), 401);
    for line in [
        "POST /api/repositories/digits/build",
        "POST /api/builds/1/cancel",
        "POST /builds/1/cancel",
    ] {
        assert_eq!(status(line, &[]), 401, "{line}");
        assert_eq!(status(line, &[("Authorization", "Bearer read-token")]), 403, "{line}");
    }
    assert_eq!(bench.woken.load(Ordering::SeqCst), 0);
    let change = [("Authorization", "Bearer change-token")];
    assert_eq!(status("POST /api/builds/1/cancel", &change), 202);
    assert_eq!(status("POST /api/builds/1/cancel", &change), 409);
    assert_eq!(status("POST /api/builds/1/retry", &change), 202);
    assert_eq!(status("POST /api/builds/2/retry", &change), 409);
    assert_eq!(status("POST /api/builds/2/reopen", &change), 409);
    assert_eq!(status("POST /api/builds/1/reopen", &change), 202);
    assert_eq!(bench.woken.load(Ordering::SeqCst), 3);
    for open in ["GET /healthz", "GET /login", "GET /assets/style.css"] {
        assert_eq!(status(open, &[]), 200, "{open}");
    }
    let page = bench.page("/builds/1");
    assert_eq!((page.status, page.header("location")), (303, Some("/login?to=/builds/1")));
}

#[test]
fn a_session_changes_by_forms_that_this_service_gave_it() {
    let bench = Bench::guarded();
    bench.store.enqueue(asked("")).unwrap();
    let (reply, cookie) = log_in(&bench, "change-token");
    assert_eq!((reply.status, reply.header("location")), (303, Some("/deliveries")));
    let set = reply.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly; SameSite=Strict") && !set.contains("Secure"), "{set}");
    let cookie = ("Cookie", &*format!("other=1; {cookie}"));
    let page = bench.ask("GET /builds/1", &[BROWSER, cookie], b"");
    let token = page.form_token();
    let post = |line: &str, headers: &[(&str, &str)], body: &str| {
        bench.ask(line, headers, body.as_bytes()).status
    };
    let form = format!("form={token}");
    for (headers, body, status) in [
        (vec![cookie], "", 403),
        (vec![cookie], "form=", 403),
        (vec![cookie], &*format!("form={}", "0".repeat(64)), 403),
        (vec![cookie, ("Origin", "https://evil.example")], &*form, 403),
        (vec![cookie, ("Origin", "null")], &*form, 403),
        (vec![cookie, ("Sec-Fetch-Site", "cross-site")], &*form, 403),
        (vec![cookie, ("Sec-Fetch-Site", "same-site")], &*form, 403),
        (vec![], &*form, 401),
    ] {
        assert_eq!(post("POST /builds/1/cancel", &headers, body), status, "{headers:?} {body}");
    }
    assert_eq!(post("POST /api/builds/1/cancel", &[cookie], &form), 401, "programs give a token");
    assert!(!bench.store.build(1).unwrap().unwrap().stop_asked);
    let own = [cookie, ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(post("POST /builds/1/cancel", &own, &form), 303);
    assert!(bench.store.build(1).unwrap().unwrap().verdict.is_some());
    assert_eq!(post("POST /logout", &own, &form), 303);
    assert_eq!(bench.ask("GET /", &[cookie], b"").status, 401);
}

#[test]
fn a_reader_sees_no_buttons_and_a_replaced_token_ends_its_sessions() {
    let bench = Bench::guarded();
    bench.store.enqueue(asked("")).unwrap();
    let (_, cookie) = log_in(&bench, "read-token");
    let cookie = [("Cookie", &*cookie)];
    let page = bench.ask("GET /builds/1", &cookie, b"");
    assert!(page.status == 200 && !page.body.contains("/cancel"), "{page:?}");
    let form = format!("form={}", page.form_token());
    assert_eq!(bench.ask("POST /builds/1/cancel", &cookie, form.as_bytes()).status, 403);
    std::fs::write(bench.folder.path().join("read"), "another\n").unwrap();
    assert_eq!(bench.ask("GET /", &cookie, b"").status, 401);
    std::fs::remove_file(bench.folder.path().join("read")).unwrap();
    assert_eq!(bench.ask("GET /", &[("Authorization", "Bearer another")], b"").status, 401);
}

#[test]
fn wrong_tokens_are_bounded_and_logged_nowhere() {
    let bench = Bench::guarded();
    let mut statuses = Vec::new();
    for n in 0..7 {
        statuses.push(log_in(&bench, &format!("wrong{n}")).0.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
    let (late, cookie) = log_in(&bench, "change-token");
    assert!(
        late.status == 429 && cookie.is_empty() && late.header("retry-after").is_some(),
        "{late:?}"
    );
    assert_eq!(bench.ask("GET /", &[("Authorization", "Bearer change-token")], b"").status, 429);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(log_in(&bench, "change-token").0.status, 303);
}

#[test]
fn without_tokens_only_this_machine_by_its_own_name_is_served() {
    let bench = Bench::open();
    for (host, status) in [
        ("localhost:8437", 200),
        ("127.0.0.1", 200),
        ("[::1]:8437", 200),
        ("evil.example", 403),
        ("127.0.0.1.nip.io", 403),
    ] {
        assert_eq!(bench.ask("GET /", &[("Host", host)], b"").status, status, "{host}");
        assert_eq!(bench.ask("GET /api/builds", &[("Host", host)], b"").status, status, "{host}");
    }
    let build = "POST /api/repositories/digits/build";
    assert_eq!(bench.ask(build, &[("Origin", "http://evil.example")], b"").status, 403);
    assert_eq!(bench.ask(build, &[("Sec-Fetch-Site", "cross-site")], b"").status, 403);
    assert_eq!(bench.ask(build, &[], b"{\"commit\":\"HEAD\"}").status, 400);
    assert_eq!(bench.ask(build, &[], b"{\"x\":1}").status, 400);
    assert_eq!(bench.ask(build, &[], b"").status, 202);
    assert_eq!(bench.ask("POST /repositories/digits/build", &[], b"form=x").status, 403);
    let form = format!("form={}", bench.page("/repositories/letters").form_token());
    let started = bench.ask("POST /repositories/letters/build", &[], form.as_bytes());
    assert_eq!((started.status, started.header("location")), (303, Some("/builds/2")));
    assert_eq!(bench.ask("POST /api/repositories/other/build", &[], b"").status, 404);
}

#[test]
fn behind_a_trusted_proxy_each_client_waits_for_its_own_wrong_tokens() {
    let with = |proxies: &str| {
        Bench::with(&format!("{proxies}[access]\nchange-token-file = \"change\"\n"))
    };
    let tried = |bench: &Bench, forwarded: &str, token: &str| {
        let headers = [BROWSER, ("X-Forwarded-For", forwarded)];
        bench.ask("POST /login", &headers, format!("token={token}").as_bytes()).status
    };
    let bench = with("trusted-proxies = [\"127.0.0.1\"]\n");
    let wrong: Vec<u16> =
        (0..6).map(|n| tried(&bench, "203.0.113.7", &format!("wrong{n}"))).collect();
    assert_eq!(wrong, [401, 401, 401, 401, 401, 429]);
    // Nothing that it writes before what the proxy adds makes it another.
    assert_eq!(tried(&bench, "198.51.100.1, 203.0.113.7", "change-token"), 429);
    assert_eq!(tried(&bench, "127.0.0.1,203.0.113.7", "change-token"), 429);
    assert_eq!(tried(&bench, "198.51.100.1", "change-token"), 303, "another client does not wait");
    // Without such a proxy, all that a client says of itself is its own words.
    for proxies in ["", "trusted-proxies = [\"10.0.0.0/8\"]\n"] {
        let bench = with(proxies);
        let wrong: Vec<u16> =
            (0..6).map(|n| tried(&bench, &format!("203.0.113.{n}"), "wrong")).collect();
        assert_eq!(wrong, [401, 401, 401, 401, 401, 429], "{proxies}");
    }
}
