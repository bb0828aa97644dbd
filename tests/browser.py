# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser, Debian's Chromium without a window, and the page for people as somebody uses it there."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

# What a page may not do by its policy is noted before its own scripts begin.
LISTEN = """
window.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  violations.push(`${violatedDirective} ${blockedURI}`);
});
"""
# Without a sandbox, for that needs another user than root; nothing but the page under test is opened.
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]


def pin(certificate: x509.Certificate) -> str:
    """The public key of a server's certificate, as Chromium takes it for one to trust."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def pin_of(host: str, port: int, ca: Path) -> str:
    """The same of a running server, which must have a certificate of this CA."""
    context = ssl.create_default_context(cafile=str(ca))
    plain = socket.create_connection((host, port), timeout=20)
    with context.wrap_socket(plain, server_hostname=host) as own:
        return pin(x509.load_der_x509_certificate(own.getpeercert(binary_form=True) or b""))


class Browser:
    """Chromium, with the page of one gateway."""

    def __init__(self, trusted: str = "") -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or "chromium"
        for argument in [*ARGUMENTS, *([f"--ignore-certificate-errors-spki-list={trusted}"] if trusted else [])]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver") or "chromedriver"))
        self.tell("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
        self.size(1200, 1000)

    def tell(self, command: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function of this body returns."""
        return self.driver.execute_script(script, *arguments)

    def size(self, width: int, height: int, scale: int = 1, mobile: bool = False) -> None:
        self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def theme(self, name: str) -> None:
        """`light` or `dark`, as the system of somebody prefers it."""
        self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, url: str) -> None:
        """The page anew, with nothing in the logs."""
        for name in ("browser", "performance"):
            self.driver.get_log(name)
        self.driver.get(f"{url}/gatehouse/")

    def find(self, element: str) -> WebElement:
        return self.driver.find_element("id", element)

    def text(self, element: str) -> str:
        return self.find(element).text

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", selector)

    def press(self, *keys: str) -> None:
        """Press keys one after another, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def wait(self, condition: str) -> None:
        """Until this expression of JavaScript is true."""
        WebDriverWait(self.driver, 10, 0.02).until(lambda _: self.run(f"return {condition}"))

    def wait_for_answer(self) -> None:
        """Until somebody is in, or is told why not."""
        told = "document.getElementById('entrance-problem').textContent"
        busy = "document.querySelector('[aria-busy]')"
        self.wait(f"!{busy} && (document.getElementById('entrance').hidden || {told})")

    def paste(self, element: str, text: str) -> None:
        """Text that comes at once, which takes less time than as many keys."""
        self.run("arguments[0].focus()", self.find(element))
        self.tell("Input.insertText", text=text)

    def sign_in(self, key: str) -> None:
        self.paste("key", key)
        self.submit()

    def sign_in_as(self, user: str, password: str) -> None:
        self.find("with-password").click()
        self.paste("user", user)
        self.paste("password", password)
        self.submit()

    def submit(self) -> None:
        """The key Enter, in the form; then wait."""
        self.tell("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r")
        self.tell("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter")
        self.wait_for_answer()

    def violations(self) -> list[str]:
        """What the page's policy forbade it, as the page and as the browser's console have it."""
        console = [line["message"] for line in self.driver.get_log("browser")]
        return self.run("return violations") + [line for line in console if "Content Security Policy" in line]

    def requests(self) -> list[str]:
        """The addresses of all requests since the page was opened."""
        events = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [event["request"]["url"] for event in sent]

    def picture(self, file: Path) -> None:
        """The whole page, to its end."""
        image = self.tell("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(image["data"]))


@contextlib.contextmanager
def browser(trusted: str = "") -> Iterator[Browser]:
    one = Browser(trusted)
    try:
        yield one
    finally:
        one.driver.quit()
