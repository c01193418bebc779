"""The page of launch.units in a browser: with the pointer, with the keyboard alone."""

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from launch.parts.units import page as made
from launch.parts.units import units

TEXT = [*'say "<b>" (1)\n', "</script>", *"end\n"]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    values = np.linspace(-1, 1, 3 * len(TEXT)).reshape(-1, 3)
    file = tmp_path_factory.mktemp("page") / "units.html"
    file.write_text(made("Units", {}, units({"layer 0 h": values}, TEXT), TEXT))
    return file.as_uri()


@pytest.fixture
def page(browser, address):
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []


def one(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def told(page):
    return one(page, "output").text


def test_values_are_read_with_keys_and_pointer(page):
    text = one(page, ".text")
    assert text.text.replace("\n", "") == "".join(TEXT).replace("\n", "")
    text.send_keys(Keys.HOME)
    assert told(page).startswith('"s" \N{MINUS SIGN}1.00')
    text.send_keys(Keys.ARROW_RIGHT)
    assert told(page).startswith('"a" ')
    text.send_keys(Keys.END)
    assert told(page).startswith('"\\n" +')
    page.execute_script(
        "arguments[0].dispatchEvent(new Event('pointerover', {bubbles: true}))",
        page.find_elements(By.CSS_SELECTOR, ".text > span")[4],
    )
    assert told(page).startswith('"\\""')


def test_another_unit_is_another_colour(page):
    spans = page.find_elements(By.CSS_SELECTOR, ".text > span")
    assert spans[0].get_attribute("class") == "n5"
    assert spans[-1].get_attribute("class") == "p5"
    choice = one(page, "select")
    first = choice.get_attribute("value")
    one(page, '[aria-label="Unit after"]').click()
    second = choice.get_attribute("value")
    one(page, '[aria-label="Unit before"]').click()
    assert (first, second) == ("0", "1") and choice.get_attribute("value") == "0"
    button = page.find_elements(By.CSS_SELECTOR, "[data-unit]")[-1]
    button.click()
    assert choice.get_attribute("value") == button.get_attribute("data-unit")


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits(page, address, width):
    size = {
        "width": width,
        "height": 800,
        "deviceScaleFactor": 1,
        "mobile": width < 500,
    }
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.get(address)
    over = page.execute_script(
        "const root = document.documentElement;"
        " return root.scrollWidth - root.clientWidth"
    )
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert over <= 0
