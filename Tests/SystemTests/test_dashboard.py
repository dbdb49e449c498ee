"""The dashboard in a real browser: it is alive, fits a phone, comes back, and does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from harness.browser import Browser
from harness.peers import ScriptedServer, connect, named, read_exactly
from harness.web import TOKEN, Served

Serve = Callable[..., ScriptedServer]

pytestmark = [pytest.mark.fairlead_only, pytest.mark.limit(120)]

LIVE = "document.getElementById('link').dataset.link === 'live' && !!model.status"
STATES = "[...document.querySelectorAll('#servers .badge')].map((one) => one.textContent)"


@pytest.fixture
def served(serve: Serve) -> Iterator[Served]:
    servers = [serve(named(name)).address for name in "abc"]
    with Served(servers, f"{{listen: '127.0.0.1:%d', token: {TOKEN}, public: true}}") as daemon:
        yield daemon


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as made:
        yield made


def test_what_happens_is_seen_at_once(served: Served, browser: Browser) -> None:
    browser.open(served.url)
    browser.wait(LIVE)
    assert browser.wait(STATES) == ["up", "up", "up"]
    assert served.command("drain", "b")[0] == 0
    browser.wait(f"({STATES})[1] === 'drained'")
    browser.wait("document.getElementById('events').textContent.includes('b is drained')")
    browser.wait("document.getElementById('announcer').textContent.includes('b is drained')")
    words = browser.evaluate("document.getElementById('topology-words').textContent")
    assert "kubernetes-apiserver/b is drained" in words
    for _ in range(8):
        with connect(served.frontend) as client:
            read_exactly(client, 1)
    browser.wait("model.status.accepted === 8")
    browser.wait("model.series.get('connect').some((value) => value > 0)")
    assert browser.problems == []


def test_servers_are_drained_from_the_page(served: Served, browser: Browser) -> None:
    browser.open(served.url)
    browser.wait(LIVE)
    browser.wait("document.querySelectorAll('td.action button').length === 3")
    browser.evaluate("document.querySelector('td.action button').click()")
    browser.wait("document.getElementById('confirm-dialog').open")
    browser.evaluate("document.getElementById('confirm-yes').click()")
    browser.wait("document.getElementById('token-dialog').open")
    browser.evaluate(f"document.getElementById('token').value = '{TOKEN}'")
    browser.evaluate("document.querySelector('#token-form .main').click()")
    browser.wait(f"({STATES})[0] === 'drained'")


def test_a_token_opens_the_page(serve: Serve, browser: Browser) -> None:
    http = f"{{listen: '127.0.0.1:%d', token: {TOKEN}}}"
    with Served([serve(named("a")).address], http) as served:
        browser.open(served.url)
        browser.wait("document.getElementById('token-dialog').open")
        assert browser.evaluate("model.status") is None
        browser.evaluate(f"document.getElementById('token').value = '{TOKEN}'")
        browser.press("Enter")
        browser.evaluate("document.querySelector('#token-form .main').click()")
        browser.wait(LIVE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits(served: Served, browser: Browser, width: int, scheme: str) -> None:
    browser.resize(width, 900)
    browser.prefer(prefers_color_scheme=scheme)
    browser.open(served.url)
    browser.wait(LIVE)
    browser.wait(STATES)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    wide = browser.evaluate(
        "[...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroller, .quiet')"
        f" && one.getBoundingClientRect().right > {width} + 1).map((one) => one.outerHTML)"
    )
    assert wide == []
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(11, 12, 15)") == (scheme == "dark")
    assert browser.problems == []


def test_keys_and_screen_readers_find_their_way(served: Served, browser: Browser) -> None:
    browser.open(served.url)
    browser.wait(LIVE)
    browser.wait(STATES)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.className") == "skip"
    for landmark in ("header", "main", "footer", "nav"):
        assert browser.evaluate(f"document.querySelectorAll('{landmark}').length") == 1
    named_parts = (
        "[...document.querySelectorAll('section')].every((one) => "
        "document.getElementById(one.getAttribute('aria-labelledby')).textContent)"
    )
    assert browser.evaluate(named_parts)
    assert browser.evaluate("document.getElementById('announcer').ariaLive") == "polite"
    outline = (
        "(() => { document.querySelector('td.action button').focus({ focusVisible: true });"
        " return getComputedStyle(document.activeElement).outlineStyle; })()"
    )
    assert browser.evaluate(outline) == "solid"
    # Every state has its sign beside its colour.
    assert browser.evaluate(
        "[...document.querySelectorAll('.badge')].every((one) => one.querySelector('svg path'))"
    )


def test_those_who_want_no_motion_get_none(served: Served, browser: Browser) -> None:
    browser.open(served.url)
    browser.wait(LIVE)
    motion = "getComputedStyle(document.querySelector('.flow')).animationName"
    browser.wait("!!document.querySelector('.flow')")
    assert browser.evaluate(motion) == "flow"
    browser.prefer(prefers_reduced_motion="reduce")
    assert browser.evaluate(motion) == "none"


def test_it_comes_back_with_the_daemon(served: Served, browser: Browser) -> None:
    browser.open(served.url)
    browser.wait(LIVE)
    first = browser.evaluate("model.status.pid")
    served.process.kill()
    browser.wait("document.getElementById('link').dataset.link === 'lost'")
    served.start()
    browser.wait(LIVE)
    browser.wait(f"model.status.pid !== {first}")
    browser.wait("model.events.length === 1")  # those of the daemon that is gone are gone as well


# One hour of messages; `from` is its first second.
HOUR = """(async (from) => {
  const base = model.day = model.day || structuredClone(model.status);
  for (let second = from; second < from + 3600; second += 1) {
    const status = structuredClone(base);
    status.now = base.now + second;
    status.accepted = base.accepted + second * 3;
    status.rate = second % 7;
    for (const backend of status.backends) for (const server of backend.servers) {
      server.connectTimes.counts[0] += second;
      server.connectTimes.sum += second * 0.001;
      server.state = (second >> 9) % 5 === 0 ? 'down' : 'up';
    }
    takeStatus(status);
    if (second % 60 === 0) {
      const event = { time: status.now, kind: 'server', to: 'up', text: `event ${second}` };
      take('event', JSON.stringify(event), null);
    }
    if (second % 300 === 0) render();
  }
  return document.querySelectorAll('*').length;
})"""


def test_a_day_makes_it_no_bigger(served: Served, browser: Browser) -> None:
    browser.open(served.url)
    browser.wait(LIVE)
    browser.wait(STATES)

    def heap() -> int:
        browser.command("HeapProfiler.collectGarbage")
        return browser.command("Runtime.getHeapUsage")["usedSize"]

    elements, heaps = [], []
    for hour in range(24):
        elements.append(browser.evaluate(f"{HOUR}({hour * 3600})"))
        heaps.append(heap())
    # Six hours fill every list.
    assert max(elements[6:]) <= elements[6] * 1.05
    assert max(heaps[6:]) <= heaps[6] * 1.2
    assert browser.evaluate("model.events.length") == 200
    assert browser.evaluate("model.series.size") == 4 + 2 * 3
    lists = "Math.max(...[...model.series.values()].map((list) => list.length))"
    assert browser.evaluate(lists) == 120
    browser.wait("Math.abs(model.status.now - Date.now() / 1000) < 5")  # the daemon's own again
    assert browser.problems == []
