# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs keepalived, and asks the gateway of this host all the time whether it answers. Needs nothing but Python.

One program that goes on, and not a script that keepalived starts each second: on a host that is busy such a start takes
seconds, and the address would leave a gateway that is well.

Arguments: address and port of the gateway, what it speaks (http, https, and +proxy for the PROXY protocol), a file that
gets 0 while it answers and 1 while it does not, and the command of keepalived, which reads that file.
"""

import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

# Seconds for an answer, from one question to the next, and to the next after a bad one. Whoever does not answer twice
# is gone: that is known 2.3 seconds after the moment at which it went, at the most.
PATIENCE = 0.8
INTERVAL = 0.5
AGAIN = 0.2


class Gateway:
    """Whoever listens there."""

    def __init__(self, address, port, speaks):
        self.place = (address, port)
        scheme, _plus, proxy = speaks.partition("+")
        self.begin = b"PROXY UNKNOWN\r\n" if proxy else b""
        self.context = None
        if scheme == "https":
            # No secret is sent; whether the certificate is the right one is for clients to find out.
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    def answers(self):
        end = time.monotonic() + PATIENCE
        try:
            with socket.create_connection(self.place, PATIENCE) as plain:
                plain.sendall(self.begin)
                with self.context.wrap_socket(plain) if self.context else plain as connection:
                    connection.settimeout(max(end - time.monotonic(), 0.01))
                    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                    return connection.recv(64).startswith(b"HTTP/1.1 200 ")
        except (OSError, ValueError):
            return False


class Opinion:
    """What two answers in a row say; until then the one before counts, at first that nobody is there."""

    def __init__(self):
        self.is_well = False
        self.last = False

    def hear(self, answer):
        """Take an answer, and tell whether the opinion changed."""
        changes = answer == self.last and answer != self.is_well
        self.last = answer
        if changes:
            self.is_well = answer
        return changes


def write(path, is_well):
    # In place: keepalived watches this very file.
    with open(path, "w", encoding="ascii") as file:
        file.write("0\n" if is_well else "1\n")


def watch(gateway, path, stopped):
    """Until it is told to stop."""
    opinion = Opinion()
    while not stopped.is_set():
        answer = gateway.answers()
        if opinion.hear(answer):
            write(path, opinion.is_well)
            print("the gateway %s" % ("answers" if opinion.is_well else "does not answer any more"), flush=True)
        stopped.wait(INTERVAL if answer and opinion.is_well else AGAIN)


def main():
    address, port, speaks, path, *command = sys.argv[1:]
    write(path, False)
    keepalived = subprocess.Popen(command)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: keepalived.send_signal(got))
    # Where this ends in any way, systemd ends keepalived too, which gives the address back.
    watcher = threading.Thread(target=watch, args=(Gateway(address, int(port), speaks), path, stopped), daemon=True)
    watcher.start()
    while keepalived.poll() is None and watcher.is_alive():
        time.sleep(INTERVAL)
    stopped.set()
    sys.exit(keepalived.poll() or 0 if keepalived.poll() is not None else 1)


if __name__ == "__main__":
    main()
