"""The page of launch.report in a browser: with the pointer, with the keyboard alone."""

import made_runs
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from launch import runs
from launch.parts import whole
from launch.parts.subject import subject

HERE = """const here = document.activeElement;
return [here, here.localName, here.ariaLabel ?? here.innerText];"""
CURVES = '[data-chart="Learning curves"]'


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Returns the address of a page by the texts of its runs: plain or hostile."""
    found = {}
    for name, text in {"plain": "", "hostile": made_runs.HOSTILE}.items():
        folder = tmp_path_factory.mktemp(name) / ("runs" if not text else "<img src=x>")
        made_runs.two_cells(folder, text)
        about = subject(folder, *runs.find(folder), "valid.loss", "min", None)
        file = folder.parent / "page.html"
        file.write_text(whole.page(about, texts=0))
        found[name] = file.as_uri()
    return found


@pytest.fixture
def page(browser, pages):
    """Opens the plain page, and fails where the console complains."""
    browser.get(pages["plain"])
    yield browser
    assert browser.get_log("browser") == []


def one(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def every(page, selector):
    return page.find_elements(By.CSS_SELECTOR, selector)


def column(page, name):
    """Returns the head of a column of the first table, and the texts below it."""
    table = one(page, "table.sortable")
    heads = table.find_elements(By.CSS_SELECTOR, "thead th")
    place = [head.text for head in heads].index(name)
    cells = table.find_elements(By.CSS_SELECTOR, f"tbody tr > :nth-child({place + 1})")
    return heads[place], [cell.text for cell in cells]


def told(page):
    return one(page, f"{CURVES} output").text


def legend(page, name):
    buttons = every(page, f"{CURVES} .legend button")
    return next(button for button in buttons if button.text == name)


def drawn(page):
    """Returns the configurations whose lines are on the chart."""
    return {int(group) for group in read(page, ".plot path", "dataset.group")}


def read(page, selector, what):
    """Returns what elements of the curves say: a chart may be drawn again between."""
    script = f"""return [...document.querySelectorAll(arguments[0])].map(
      (element) => element.{what});"""
    return page.execute_script(script, f"{CURVES} {selector}")


def focused(page):
    return page.switch_to.active_element


def press(page, *keys):
    for key in keys:
        focused(page).send_keys(key)


def rows(found, name):
    return [(row["step"], row[name]) for row in found if name in row]


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        ("valid.loss", ["1.6000", "2.1000", "–"], ["2.1000", "1.6000", "–"]),
        ("cell", ["gru", "lstm", "rhn"], ["rhn", "lstm", "gru"]),
        ("runs", ["0 of 1", "3 of 4", "3"], ["3 of 4", "3", "0 of 1"]),
    ],
)
def test_a_table_is_sorted_either_way(page, name, up, down):
    for order, wanted in (("ascending", up), ("descending", down), ("ascending", up)):
        head, _ = column(page, name)
        head.find_element(By.TAG_NAME, "button").click()
        head, found = column(page, name)
        assert head.get_attribute("aria-sort") == order
        assert found == wanted
        first, _ = column(page, "#")
        assert first.get_attribute("aria-sort") == "none"


def test_a_configuration_is_hidden_and_comes_back(page):
    assert drawn(page) == {0, 1}
    legend(page, "cell=gru").click()
    assert drawn(page) == {1}
    assert legend(page, "cell=gru").get_attribute("aria-pressed") == "false"
    legend(page, "cell=gru").click()
    assert drawn(page) == {0, 1}
    tools = {button.text: button for button in every(page, f"{CURVES} .tools button")}
    tools["hide all"].click()
    assert drawn(page) == set() and told(page).startswith("0 of 2 configurations")
    tools["show all"].click()
    assert drawn(page) == {0, 1}
    seeds = len(every(page, f"{CURVES} path.seed"))
    tools["each run"].click()
    assert seeds == 7 and not every(page, f"{CURVES} path.seed")
    assert len(every(page, f"{CURVES} path.middle")) == 2


def test_the_arrow_keys_read_values(page):
    plot = one(page, f"{CURVES} .plot")
    known = rows(made_runs.rows(1.5, 40, 0), "loss")

    def shown(step, value):
        return f"step {step}: {value:.5g} — cell=gru, seed 0"

    plot.send_keys(Keys.HOME)
    assert told(page) == shown(*known[0])
    press(page, *[Keys.ARROW_RIGHT] * 6)
    assert told(page) == shown(*known[6])
    press(page, Keys.PAGE_DOWN, Keys.ARROW_LEFT)
    assert told(page) == shown(*known[15])
    press(page, Keys.END, Keys.ARROW_RIGHT)
    assert told(page) == shown(*known[-1])
    press(page, Keys.ARROW_DOWN)
    step, value = rows(made_runs.rows(1.7, 40, 1), "loss")[-1]
    assert told(page) == f"step {step}: {value:.5g} — cell=gru, seed 1"
    press(page, Keys.ARROW_UP)
    assert told(page) == shown(*known[-1])


def test_the_pointer_reads_the_nearest_value(page):
    one(page, f"{CURVES} select").send_keys("validation loss")
    found = page.execute_script(
        """
        const plot = document.querySelector(arguments[0]);
        const dot = [...plot.querySelectorAll("circle.seed.c1")][4];
        const at = dot.getBoundingClientRect();
        plot.dispatchEvent(new PointerEvent("pointermove",
          {clientX: at.x + at.width / 2 + 1, clientY: at.y + at.height / 2 + 1}));
        return plot.querySelector(".here").getAttribute("cx") - dot.getAttribute("cx");
        """,
        f"{CURVES} .plot",
    )
    assert found == 0
    losses = {s: made_runs.LOSSES["lstm"][s] for s in range(3)}
    known = {
        f"step {step}: {value:.5g} — cell=lstm, seed {seed}"
        for seed, loss in losses.items()
        for step, value in rows(made_runs.rows(loss, 40, seed), "valid_loss")
    }
    assert told(page) in known


def test_a_scale_is_linear_or_logarithmic(page):
    def ticks():
        return read(page, ".plot text", "textContent")

    linear = ticks()
    assert "100" in linear and "2.5" in linear
    buttons = every(page, f"{CURVES} .tools button")
    for button in buttons[:2]:
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
    assert ticks() != linear and {"10", "20", "50", "100", "200"} <= {*ticks()}
    for button in buttons[:2]:
        button.click()
    assert ticks() == linear


def test_a_value_that_leaves_the_scale_is_read_no_more(page):
    one(page, f"{CURVES} select").send_keys("learning")
    one(page, f"{CURVES} .plot").send_keys(Keys.END)
    assert told(page).startswith("step 400: 0 —")
    every(page, f"{CURVES} .tools button")[1].click()
    assert told(page).startswith("2 of 2 configurations")


def test_the_keyboard_alone_does_it_all(page):
    reached = []
    for _ in range(80):
        press(page, Keys.TAB)
        here, tag, name = page.execute_script(HERE)
        if tag == "body":
            break
        reached.append((tag, name))
        if (tag, name) == ("button", "valid.loss"):
            press(page, Keys.ENTER, Keys.SPACE)
            assert column(page, "valid.loss")[1] == ["2.1000", "1.6000", "–"]
        if (tag, name) == ("button", "cell=gru"):
            press(page, Keys.SPACE)
            assert here.get_attribute("aria-pressed") == "false"
        if tag == "select" and "Learning" in name:
            press(page, "norm")
            assert here.get_attribute("value") == "2"
        if tag == "svg" and "Learning" in name:
            assert told(page).endswith("cell=gru, seed 0")
    assert drawn(page) == {1}
    kinds = {tag for tag, _ in reached}
    assert {"button", "select", "svg", "summary", "div"} <= kinds
    names = {name for tag, name in reached if tag == "button"}
    assert {"log x", "log y", "each run", "show all", "hide all"} <= names
    assert {"cell=lstm", "state", "seed", "setting"} <= names


def test_hostile_text_neither_runs_nor_loads(browser, pages):
    browser.get(pages["hostile"])
    assert browser.execute_script("return window.fired") is None
    assert every(browser, "img, iframe, object") == []
    shown = made_runs.HOSTILE.replace("\u202e", "\\u202e")
    assert one(browser, ".state + .long").text == shown
    choice = one(browser, '[data-chart="Gradient probes"] select')
    assert made_runs.HOSTILE in [
        option.text for option in choice.find_elements("xpath", "*")
    ]
    every(browser, f"{CURVES} .legend button")[0].click()
    one(browser, f"{CURVES} .plot").send_keys(Keys.HOME)
    assert "seed" in told(browser)
    assert browser.execute_script("return window.fired") is None
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_the_light_and_the_dark(page, pages, width, scheme):
    size = {
        "width": width,
        "height": 800,
        "deviceScaleFactor": 1,
        "mobile": width < 500,
    }
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    page.get(pages["plain"])
    found = page.execute_script(
        """
        const root = document.documentElement;
        const line = document.querySelector(".plot path.c0");
        return {over: root.scrollWidth - root.clientWidth,
          paper: getComputedStyle(document.body).backgroundColor,
          line: getComputedStyle(line).stroke,
          plot: document.querySelector(".plot").getBoundingClientRect().width,
          small: [...document.querySelectorAll("button, select")].filter(
            (e) => !e.hidden && e.getBoundingClientRect().height < 24).length};
        """
    )
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found["over"] <= 0 and found["small"] == 0
    assert found["plot"] > 0.85 * min(width, 1100)
    light = scheme == "light"
    assert found["paper"] == ("rgb(255, 254, 251)" if light else "rgb(22, 24, 27)")
    assert found["line"] == ("rgb(0, 114, 178)" if light else "rgb(63, 151, 220)")


def test_it_can_be_read_without_a_script(browser, pages):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(pages["plain"])
    body = one(browser, "body").text
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "The curves need the script of this page" in body
    assert "1.6000" in body and "diverged" in body and "8 commands" in body
